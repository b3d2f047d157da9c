import { defineConfig } from "tsup";
import { entries } from "./.config/entries.ts";

export default defineConfig({
  entry: Object.fromEntries(entries.map(({ name, source }) => [name, source])),
  format: "esm",
  target: "node22",
  splitting: true,
  sourcemap: true,
  removeNodeProtocol: false,
  // tsc writes the declarations; source maps point at src/, which is part of the package.
  dts: false,
  esbuildOptions(options) {
    options.sourcesContent = false;
    options.chunkNames = "chunks/[name]-[hash]";
  },
});
