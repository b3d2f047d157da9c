import { entries } from "./.config/entries.ts";
import manifest from "./package.json" with { type: "json" };

/** What a subpath may weigh: its own code, minified and compressed, without the packages it depends on. */
const limits: Record<string, string> = {
  // A third of it is provisioning, which is loaded only when it is asked for.
  index: "66 kB",
  "push/index": "8 kB",
  "backends/pubsub": "13 kB",
  "backends/cloud-tasks": "13 kB",
  "provision/index": "30 kB",
  "emulator/index": "42 kB",
  "testing/index": "34 kB",
};
const adapter = "10 kB";

export default entries.map(({ specifier, name }) => ({
  name: specifier,
  path: `dist/${name}.js`,
  limit: limits[name] ?? adapter,
  ignore: ["node:*", ...Object.keys(manifest.dependencies), ...Object.keys(manifest.peerDependencies)],
  modifyEsbuildConfig: (config: object) => ({ ...config, platform: "node", format: "esm", logLevel: "error" }),
}));
