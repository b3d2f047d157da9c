import manifest from "../package.json" with { type: "json" };

/** One subpath of the package: how it is imported, and the source it is built from. */
export interface Entry {
  /** What a user imports, e.g. `taskroute/express`. */
  specifier: string;
  /** The built module without its extension, relative to `dist/`, e.g. `adapters/express`. */
  name: string;
  /** The source relative to the repository, e.g. `src/adapters/express.ts`. */
  source: string;
}

/**
 * The modules that `exports` of package.json publishes: `./dist/<name>.js` is built from `src/<name>.ts`. The build,
 * the tests of the package and the size limits read this list, so an entry is declared in package.json and nowhere else.
 */
export const entries: Entry[] = Object.entries(manifest.exports).flatMap(([subpath, target]) => {
  if (typeof target === "string") return [];
  const name = target.default.replace("./dist/", "").replace(/\.js$/, "");
  return [{ specifier: subpath.replace(/^\./, manifest.name), name, source: `src/${name}.ts` }];
});
