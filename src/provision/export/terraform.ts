import type { DesiredState } from "../resources.ts";
import { type Grant, grantsOf } from "./grants.ts";
import { type ExportOptions, type ExportScope, exportScope } from "./options.ts";
import { literal } from "./terraform-address.ts";
import { type Block, type Body, byAddress } from "./terraform-block.ts";
import { grantBlock } from "./terraform-grants.ts";
import { References } from "./terraform-references.ts";
import { resourceBlock } from "./terraform-resources.ts";

/**
 * The desired state as a Terraform module in JSON syntax, the text of one `*.tf.json` file: topics, subscriptions, queues
 * and jobs, and the bindings without which they do not work. It is made for the google provider from version 5, in which
 * labels that it does not set are left alone. Pure: the same resources give the same text, in whatever order the routes
 * are listed.
 *
 * What differs between deployments of one list is a variable with the present value as its default: the project, the
 * regions, the URL of the service.
 *
 * @throws TasksError `INVALID_OPTION`.
 */
export function toTerraform(desired: DesiredState, options: ExportOptions = {}): string {
  const scope = exportScope(desired, options);
  const references = new References(scope);
  const grants = grantsOf(scope);
  const resources = byAddress([
    ...accountBlocks(scope, references),
    ...scope.desired.resources.map((resource) => resourceBlock(resource, references)),
    ...grants.map((grant) => grantBlock(grant, scope, references)),
  ]);
  const data = byAddress(dataBlocks(scope, grants, references));
  const { environment, namespace } = desired.owner;
  const module = {
    "//": `Tasks of the service ${namespace} in the environment ${environment}, made by taskroute: export again rather than edit. A module of its own.`,
    terraform: { required_providers: { google: { source: "hashicorp/google", version: ">= 5.0" } } },
    variable: orNone(references.variables),
    data: orNone(data),
    resource: orNone(resources),
  };
  return `${JSON.stringify(module, undefined, 2)}\n`;
}

function orNone(object: object): object | undefined {
  return Object.keys(object).length === 0 ? undefined : object;
}

function accountBlocks({ createdPushAccount, desired }: ExportScope, references: References): readonly Block[] {
  if (createdPushAccount === undefined) return [];
  const body: Body = {
    account_id: createdPushAccount,
    display_name: literal(`Pushes tasks to ${desired.owner.namespace}`),
    project: references.project(),
  };
  return [{ type: "google_service_account", label: "push", body }];
}

function dataBlocks(scope: ExportScope, grants: readonly Grant[], references: References): readonly Block[] {
  const { pushAccount, createdPushAccount } = scope;
  const blocks: Block[] = [];
  if (grants.some(({ to }) => to.endsWith("-agent")))
    blocks.push({ type: "google_project", label: "project", body: { project_id: references.project() } });
  if (pushAccount !== undefined && createdPushAccount === undefined)
    blocks.push({ type: "google_service_account", label: "push", body: { account_id: literal(pushAccount) } });
  return blocks;
}
