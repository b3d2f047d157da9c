import { expect, it } from "vitest";
import { toGcloudScript, toTerraform } from "../../../src/provision/export/index.ts";
import type { DesiredResource } from "../../../src/provision/resources.ts";
import { record } from "./recorded-gcloud.ts";
import { everything } from "./scene.ts";
import { readModule } from "./terraform-module.ts";

type NameOf<Resource> = Resource extends unknown ? Exclude<keyof Resource, "settings"> : never;

const desired = everything();
const module = readModule(toTerraform(desired));
const script = toGcloudScript(desired);
const { calls } = record(script, { there: true });
const idOf = (name: string): string => name.slice(name.lastIndexOf("/") + 1);
const AGENT = "serviceAccount:service-123456@gcp-sa-pubsub.iam.gserviceaccount.com";

/** Whether both exports know of what a resource is beside its settings; a field that is not here does not compile. */
const KNOWN: Readonly<Record<NameOf<DesiredResource>, (resource: DesiredResource) => void>> = {
  // The type of a block, and the command; fields.test.ts looks resources up by them.
  kind: () => {},
  name: ({ name }) => {
    expect(module.resources.map(({ arguments: of }) => of.get("name"))).toContain(idOf(name));
    expect(calls.map(({ words }) => words.at(-1))).toContain(idOf(name));
  },
  routes: ({ name, routes }) => {
    const block = module.resources.find(({ arguments: of }) => of.get("name") === idOf(name));
    expect(String(block?.body["//"]).split(", ")).toEqual([...routes].sort());
    expect(script).toMatch(new RegExp(`^# [A-Z][a-z]+ of ${[...routes].sort().join(", ")}\n.*${idOf(name)}`, "m"));
  },
  // Terraform goes by references (terraform.test.ts), the script by its order (gcloud.test.ts).
  dependsOn: () => {},
  agentRole: (resource) => {
    if (!("agentRole" in resource)) return;
    const { kind, name, agentRole } = resource;
    const grant = module.resources.find(({ type, arguments: of }) => type.endsWith("_member") && of.get(kind) === name);
    expect([grant?.arguments.get("role"), grant?.arguments.get("member")]).toEqual([agentRole, AGENT]);
    const binding = calls.find(({ words }) => words[2] === "add-iam-policy-binding" && words.at(-1) === idOf(name));
    expect([binding?.flags.get("role"), binding?.flags.get("member")]).toEqual([agentRole, AGENT]);
  },
  // It says what may be deleted, and the script deletes nothing; Terraform keeps count of what it has made.
  literal: () => expect(calls.filter(({ words }) => words.includes("delete"))).toEqual([]),
};

it.each(Object.entries(KNOWN))("both exports know the %s of every resource", (_, isKnown) => {
  for (const resource of desired.resources) isKnown(resource);
});

it("no resource has a field that this file does not know", () => {
  const names = new Set(desired.resources.flatMap((resource) => Object.keys(resource)));
  expect([...names].filter((name) => name !== "settings").sort()).toEqual(Object.keys(KNOWN).sort());
});
