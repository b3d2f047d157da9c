import { existsSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { TasksError } from "../core/errors.ts";
import type { Grpc, Protobuf, Root, ServiceReflection } from "./protobuf.ts";

/** One of Google's client packages, whose protos tell what its service looks like. */
export type ClientPackage = "@google-cloud/pubsub" | "@google-cloud/tasks" | "@google-cloud/scheduler";

/** The packages, in the order in which their protos are looked through. */
export const CLIENT_PACKAGES: readonly ClientPackage[] = [
  "@google-cloud/pubsub",
  "@google-cloud/tasks",
  "@google-cloud/scheduler",
];

/** Descriptions of services, and the gRPC that goes with them, as far as Google's client packages are installed. */
export interface Protos {
  readonly grpc: Grpc;
  /** `google.rpc.Status` and what its details may hold. */
  readonly status: Root;
  /** The packages that are installed. */
  readonly installed: readonly ClientPackage[];
  /** The description of a service, by its full name; `undefined` when its package is not installed. */
  service(name: string): ServiceReflection | undefined;
}

interface Gax {
  readonly grpc: Grpc;
  readonly protobuf: Protobuf;
}

/**
 * Loads what Google's client packages carry.
 *
 * @param from path or URL of the module from which the packages are looked for. Default: this one.
 * @throws TasksError `MISSING_PACKAGE` when none of them is installed.
 */
export function loadProtos(from: string = import.meta.url): Protos {
  const require = createRequire(from);
  const folders = new Map(
    CLIENT_PACKAGES.flatMap((name) => {
      const folder = folderOf(require, name);
      return folder === undefined ? [] : [[name, folder] as const];
    }),
  );
  const [first] = folders.values();
  if (first === undefined)
    throw new TasksError(
      "MISSING_PACKAGE",
      `emulator: expected at least one of ${CLIENT_PACKAGES.join(", ")} to be installed, found none; their protos are what it serves: run npm install --save-dev @google-cloud/pubsub`,
    );
  const fromClient = createRequire(join(first, "package.json"));
  const gax: Gax = fromClient("google-gax");
  const gaxFolder = folderOf(fromClient, "google-gax") ?? first;
  const read = (file: string): Root => gax.protobuf.Root.fromJSON(JSON.parse(readFileSync(file, "utf8")));
  const gaxProto = (name: string) => read(join(gaxFolder, "build/protos", name));
  const roots = [...[...folders.values()].map((folder) => read(protosOf(folder))), gaxProto("iam_service.json")];
  return {
    grpc: gax.grpc,
    status: gaxProto("status.json"),
    installed: [...folders.keys()],
    service: (name) => roots.map((root) => serviceIn(root, name)).find((service) => service !== undefined),
  };
}

/**
 * Says what to install for a service that cannot be served.
 *
 * @returns a sentence.
 */
export function howToServe(service: string): string {
  const word = service.startsWith("google.pubsub.") ? "pubsub" : service.split(".")[2];
  const name = CLIENT_PACKAGES.find((candidate) => candidate.endsWith(`/${word}`));
  const advice = name === undefined ? "it is none of the emulator's" : `run npm install --save-dev ${name}`;
  return `The service ${service} is not served here: ${advice}.`;
}

/** The protos.json of a client package; a later Pub/Sub client keeps it in a package of its own. */
function protosOf(folder: string): string {
  const own = join(folder, "build/protos/protos.json");
  if (existsSync(own)) return own;
  const api = folderOf(createRequire(join(folder, "package.json")), "@google-cloud/pubsub-api");
  return join(api ?? folder, "build/protos/protos.json");
}

/** Where a package is. Its `exports` may hide everything but its entry, so that is looked up and the way to it walked back. */
function folderOf(require: NodeJS.Require, name: string): string | undefined {
  let folder: string;
  try {
    folder = dirname(require.resolve(name));
  } catch {
    return undefined;
  }
  while (!isFolderOf(name, folder)) {
    const above = dirname(folder);
    if (above === folder) return undefined;
    folder = above;
  }
  return folder;
}

function isFolderOf(name: string, folder: string): boolean {
  const file = join(folder, "package.json");
  if (!existsSync(file)) return false;
  const { name: found }: { readonly name?: string } = JSON.parse(readFileSync(file, "utf8"));
  return found === name;
}

function serviceIn(root: Root, name: string): ServiceReflection | undefined {
  try {
    return root.lookupService(name);
  } catch {
    return undefined;
  }
}
