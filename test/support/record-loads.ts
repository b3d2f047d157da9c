import { registerHooks } from "node:module";

// Preloaded with `node --import`: prints the URL of every module that the process loads, one a line.
registerHooks({
  load(url, context, nextLoad) {
    process.stdout.write(`${url}\n`);
    return nextLoad(url, context);
  },
});
