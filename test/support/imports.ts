import { posix } from "node:path";
import { type Expression, parseSync, type StringLiteral, Visitor } from "oxc-parser";

/** One import, re-export, `import()` or import type of a module. */
export interface Import {
  /** As written, e.g. `../core/errors.ts` or `node:http`; `import(computed)` has the text between the brackets. */
  specifier: string;
  /** A relative specifier resolved against the importing file, e.g. `core/errors.ts`; undefined for packages. */
  file: string | undefined;
  /** `type` is erased by the compiler, `static` runs when the module loads, `dynamic` when its expression is evaluated. */
  kind: "type" | "static" | "dynamic";
}

/** The imports of one TypeScript module, in the order of the source. `file` is its path in POSIX form. */
export function importsOf(file: string, source: string): Import[] {
  const { program, errors } = parseSync(file, source);
  if (errors.length > 0) throw new Error(`${file}: ${errors[0]?.message}`);
  const imports: Import[] = [];
  const add = (target: StringLiteral | Expression | null, kind: Import["kind"]): void => {
    if (target === null) return;
    const literal = target.type === "Literal" && typeof target.value === "string";
    const specifier = literal ? String(target.value) : source.slice(target.start, target.end);
    const relative = literal && specifier.startsWith(".");
    imports.push({ specifier, file: relative ? posix.join(posix.dirname(file), specifier) : undefined, kind });
  };
  // `import { type A }` is not erased under verbatimModuleSyntax, only `import type` is.
  const erased = (kind: "type" | "value" | undefined): Import["kind"] => (kind === "type" ? "type" : "static");
  new Visitor({
    ImportDeclaration: (node) => add(node.source, erased(node.importKind)),
    ExportNamedDeclaration: (node) => add(node.source, erased(node.exportKind)),
    ExportAllDeclaration: (node) => add(node.source, erased(node.exportKind)),
    ImportExpression: (node) => add(node.source, "dynamic"),
    TSImportType: (node) => add(node.source, "type"),
  }).visit(program);
  return imports;
}
