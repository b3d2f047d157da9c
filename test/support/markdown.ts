/** A fenced code block of a Markdown page. */
export interface CodeBlock {
  /** What stands behind the opening fence, e.g. `ts file=tasks.ts`, split at spaces. */
  info: string[];
  /** The code without the indentation of its fence. */
  code: string;
  /** Number of the first line of code in the page, from 1. */
  line: number;
}

/** The fenced code blocks of a page, in order. Throws when one is not closed. */
export function codeBlocks(markdown: string): CodeBlock[] {
  const blocks: CodeBlock[] = [];
  let open: { fence: string; indent: number; block: CodeBlock } | undefined;
  for (const [index, line] of markdown.split("\n").entries()) {
    const [, indent = "", fence = "", info = ""] = /^(\s*)(`{3,})(.*)$/.exec(line) ?? [];
    if (open !== undefined) {
      if (fence === open.fence && info === "") open = undefined;
      else open.block.code += `${line.slice(Math.min(open.indent, line.length - line.trimStart().length))}\n`;
    } else if (fence !== "") {
      const block = { info: info.trim().split(/\s+/), code: "", line: index + 2 };
      open = { fence, indent: indent.length, block };
      blocks.push(block);
    }
  }
  if (open !== undefined) throw new Error(`the code block of line ${open.block.line} is not closed`);
  return blocks;
}

/** The targets of a page's inline links and images outside code, e.g. `docs/concepts.md#outcomes`. */
export function links(markdown: string): string[] {
  const prose = markdown.replace(/^(\s*)(`{3,})[^\n]*\n[\s\S]*?^\s*\2$/gm, "").replace(/`[^`\n]*`/g, "");
  return [...prose.matchAll(/\]\(([^)\s]+)(?:\s"[^"]*")?\)/g)].map(([, target = ""]) => target);
}

/** The anchors that a page's headings have on GitHub, e.g. `## What a user writes` is `what-a-user-writes`. */
export function anchors(markdown: string): string[] {
  const headings = markdown.match(/^#{1,6} .+$/gm) ?? [];
  return headings.map((heading) =>
    heading
      .replace(/^#+ /, "")
      .toLowerCase()
      .replace(/[^\p{L}\p{N}\s_-]/gu, "")
      .replace(/\s/g, "-"),
  );
}
