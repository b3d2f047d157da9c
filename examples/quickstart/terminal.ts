/** Prints the tour: 80 columns wide, in colour on a terminal that wants it. */
import { styleText } from "node:util";

const WIDTH = 80;

type Style = Parameters<typeof styleText>[0];

/** Plain when standard output is a pipe or `NO_COLOR` is set: `styleText` looks at both. */
function styled(style: Style, text: string): string {
  return styleText(style, text, { stream: process.stdout });
}

/** The title of a step, after an empty line. */
export function title(text: string): void {
  console.log(`\n${styled("bold", text)}`);
}

/** What the reader should know, as a paragraph. */
export function say(text: string): void {
  let line = "  ";
  for (const word of text.split(/\s+/)) {
    if (line.length + 1 + word.length > WIDTH) {
      console.log(line);
      line = "  ";
    }
    line += ` ${word}`;
  }
  console.log(line);
}

/** A line of code, as the reader would write it. */
export function code(text: string): void {
  console.log(`   ${styled("cyan", text)}`);
}

/** Something that happened: what kind of thing, and what exactly; cut where the line ends. */
export function event(label: string, text: string, style: Style = "reset"): void {
  const room = WIDTH - 5 - 10;
  const shown = text.length > room ? `${text.slice(0, room - 1)}…` : text;
  console.log(`     ${styled("dim", label.padEnd(10))}${styled(style, shown)}`);
}
