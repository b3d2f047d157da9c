import { defineConfig, type Options } from "tsup";
import { type Entry, entries } from "./.config/entries.ts";

/**
 * Subpaths that are loaded on their own, and rarely: they are built apart, with their own copy of what they share with the
 * rest. Built together, all that any two subpaths share would become a file of its own, and importing the root would cost a
 * read for each of them.
 */
const APART: ReadonlySet<string> = new Set(["provision/index", "emulator/index"]);

function build(some: readonly Entry[], chunks: string): Options {
  return {
    entry: Object.fromEntries(some.map(({ name, source }) => [name, source])),
    format: "esm",
    target: "node22",
    splitting: true,
    sourcemap: true,
    removeNodeProtocol: false,
    // tsc writes the declarations; source maps point at src/, which is part of the package.
    dts: false,
    // What is loaded late is the build of its own.
    esbuildPlugins: [
      {
        name: "apart",
        setup({ onResolve }) {
          onResolve({ filter: /^\.\/provision\/index\.ts$/ }, () => ({ path: "./provision/index.js", external: true }));
        },
      },
    ],
    esbuildOptions(options) {
      options.sourcesContent = false;
      options.chunkNames = `chunks/${chunks}-[hash]`;
    },
  };
}

export default defineConfig([
  build(
    entries.filter(({ name }) => !APART.has(name)),
    "main",
  ),
  build(
    entries.filter(({ name }) => APART.has(name)),
    "apart",
  ),
]);
