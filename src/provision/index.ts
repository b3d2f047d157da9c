export type {
  BootProvisioning,
  Change,
  ChangeResult,
  FieldChange,
  Plan,
  PlanOptions,
  Provisioner,
  ProvisionOptions,
  ProvisionReport,
  ResourceKind,
} from "../core/provisioning.ts";
export { type ExportOptions, toGcloudScript, toTerraform } from "./export/index.ts";
export { desiredOf, provisionerOf } from "./provisioner.ts";
export { type RenderOptions, renderPlan, renderReport } from "./render.ts";
export type {
  DesiredJob,
  DesiredQueue,
  DesiredResource,
  DesiredState,
  DesiredSubscription,
  DesiredTopic,
} from "./resources.ts";
