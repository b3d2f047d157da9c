import { resolve } from "node:path";
import type { NextConfig } from "next";

const config: NextConfig = {
  // The package that the example imports, `taskroute`, is the repository around it.
  turbopack: { root: resolve(import.meta.dirname, "../..") },
};

export default config;
