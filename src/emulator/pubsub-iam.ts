import type { Policy } from "./iam.ts";
import type { Pubsub } from "./pubsub.ts";
import { missing } from "./pubsub-names.ts";
import type { Service } from "./service.ts";
import { invalid } from "./status.ts";

interface PolicyRequest {
  readonly resource?: string;
}

/** Policies of topics and subscriptions: `google.iam.v1.IAMPolicy`, which Pub/Sub mixes in. */
export function iamService(pubsub: Pubsub): Service {
  const { iam } = pubsub.scope;
  const exists = (name: string) => pubsub.topics.has(name) || pubsub.subscriptions.has(name);
  const find = ({ resource = "" }: PolicyRequest) => {
    if (!/^projects\/[^/]+\/(topics|subscriptions|snapshots|schemas)\/[^/]+$/.test(resource))
      throw invalid(
        `Invalid resource name given (name=${resource}). Refer to https://cloud.google.com/pubsub/docs/pubsub-basics#resource_names for more information.`,
      );
    if (!exists(resource)) throw missing(resource);
    return resource;
  };
  return {
    name: "google.iam.v1.IAMPolicy",
    methods: {
      GetIamPolicy: (request: PolicyRequest) => iam.get(find(request)),
      SetIamPolicy: (request: PolicyRequest & { readonly policy?: Policy }) => iam.set(find(request), request.policy),
      // Of a resource that is not there nobody has any permission, `google/iam/v1/iam_policy.proto`.
      TestIamPermissions: ({
        resource = "",
        permissions,
      }: PolicyRequest & { readonly permissions?: readonly string[] }) => ({
        permissions: exists(resource) ? iam.test(permissions) : [],
      }),
    },
  };
}
