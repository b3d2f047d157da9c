export { toGcloudScript } from "./gcloud.ts";
export type { ExportOptions } from "./options.ts";
export { toTerraform } from "./terraform.ts";
