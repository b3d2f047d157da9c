import { importsOf } from "./imports.ts";

/** Which modules of `src/` each layer may import, by path prefix. Implementations never import a sibling. */
const layers: Record<string, string[]> = {
  "index.ts": ["core/", "push/", "engine/", "backends/", "google/", "provision/", "create-tasks.ts"],
  "create-tasks.ts": ["core/", "engine/", "backends/", "google/", "provision/"],
  "core/": ["core/"],
  "push/": ["core/", "push/"],
  "adapters/": ["core/", "push/", "adapters/node.ts", "adapters/web.ts"],
  "engine/": ["core/", "engine/"],
  "google/": ["core/", "google/"],
  "backends/": ["core/", "engine/", "google/"],
  "provision/": ["core/", "google/", "provision/"],
  "emulator/": ["core/", "engine/", "emulator/"],
  "stores/": ["core/"],
  "testing/": ["core/", "engine/", "push/oidc.ts", "testing/"],
};

/** Where a package or a Node builtin may be imported, and how. Whatever has no row may be imported nowhere. */
interface PackageRule {
  packages: RegExp;
  files: RegExp;
  as: ("type" | "static" | "dynamic")[];
}

const packages: PackageRule[] = [
  { packages: /^node:/, files: /^(?!core\/)/, as: ["type", "static", "dynamic"] },
  { packages: /^@standard-schema\/spec$/, files: /^/, as: ["type"] },
  { packages: /^cron-parser$/, files: /^core\/schedule\.ts$/, as: ["type", "dynamic"] },
  { packages: /^google-auth-library$/, files: /^push\/oidc\.ts$/, as: ["type", "dynamic"] },
  { packages: /^(@google-cloud\/|google-gax$)/, files: /^google\/clients\.ts$/, as: ["type", "dynamic"] },
  { packages: /^(express|fastify|hono|koa|next)(\/|$)/, files: /^adapters\//, as: ["type"] },
];

/** What the imports of one module of `src/` break, one sentence each. `file` is relative to `src/`. */
export function violations(file: string, source: string): string[] {
  const layer = Object.entries(layers).find(([prefix]) => file.startsWith(prefix));
  if (layer === undefined) return [`${file} belongs to no layer`];
  return importsOf(file, source)
    .filter(({ specifier, file: target, kind }) => {
      if (target !== undefined) return !layer[1].some((prefix) => target.startsWith(prefix));
      return !packages.some((rule) => rule.packages.test(specifier) && rule.files.test(file) && rule.as.includes(kind));
    })
    .map(({ specifier, file: target, kind }) => `${file} may not import ${target ?? specifier} (${kind})`);
}

/** The first cycle among imports that run, as the list of its files, or undefined. `sources` are by path under `src/`. */
export function importCycle(sources: ReadonlyMap<string, string>): string[] | undefined {
  const finished = new Set<string>();
  const visit = (file: string, trail: string[]): string[] | undefined => {
    if (trail.includes(file)) return [...trail.slice(trail.indexOf(file)), file];
    if (finished.has(file)) return undefined;
    for (const { file: target, kind } of importsOf(file, sources.get(file) ?? "")) {
      const cycle = target !== undefined && kind !== "type" ? visit(target, [...trail, file]) : undefined;
      if (cycle !== undefined) return cycle;
    }
    finished.add(file);
    return undefined;
  };
  for (const file of sources.keys()) {
    const cycle = visit(file, []);
    if (cycle !== undefined) return cycle;
  }
  return undefined;
}
