import { describe, expect, it } from "vitest";
import { TasksError, type TasksErrorCode } from "../../src/core/errors.ts";
import { type Attempted, explained, GRPC, grantCommand, grpcCode, isTransient } from "../../src/google/status.ts";

const TOPIC = "projects/p/topics/t";
const QUEUE = "projects/p/locations/nowhere1/queues/q";

/** An error as gax makes them. */
function failure(code: keyof typeof GRPC, details: string): Error {
  return Object.assign(new Error(`${GRPC[code]} ${code}: ${details}`), { code: GRPC[code], details });
}

const publishing: Attempted = { action: "publish to", resource: TOPIC, role: "roles/pubsub.publisher" };

describe("an error of Google's clients", () => {
  it.each<[error: Error, attempted: Attempted, code: TasksErrorCode, parts: string[]]>([
    [
      failure("NOT_FOUND", "Resource not found (resource=t)."),
      publishing,
      "NOT_PROVISIONED",
      [TOPIC, "run taskroute apply"],
    ],
    [
      failure("NOT_FOUND", "Queue does not exist. If you just created the queue, wait at least a minute."),
      { action: "create a task in", resource: QUEUE },
      "NOT_PROVISIONED",
      [QUEUE, "run taskroute apply"],
    ],
    [
      failure("NOT_FOUND", "Requested project not found or user does not have access to it (project=p)."),
      publishing,
      "INVALID_CONFIG",
      ["GCP_PROJECT_ID"],
    ],
    [
      failure("PERMISSION_DENIED", "User not authorized to perform this action."),
      publishing,
      "NOT_PERMITTED",
      [
        "roles/pubsub.publisher on projects/p/topics/t",
        "gcloud pubsub topics add-iam-policy-binding t --project=p --member=serviceAccount:ACCOUNT --role=roles/pubsub.publisher",
      ],
    ],
    [
      failure("PERMISSION_DENIED", 'The principal lacks IAM permission "iam.serviceAccounts.actAs" for the resource.'),
      { action: "create a task in", resource: QUEUE, role: "roles/cloudtasks.enqueuer", account: "push@p.example" },
      "NOT_PERMITTED",
      ["roles/iam.serviceAccountUser", "gcloud iam service-accounts add-iam-policy-binding push@p.example --project=p"],
    ],
    [
      failure(
        "PERMISSION_DENIED",
        "Cloud Tasks API has not been used in project 1 before or it is disabled. Enable it by visiting https://console.developers.google.com/apis/api/cloudtasks.googleapis.com/overview",
      ),
      { action: "create", resource: QUEUE, role: "roles/cloudtasks.admin" },
      "NOT_PERMITTED",
      ["gcloud services enable cloudtasks.googleapis.com --project=p"],
    ],
    [
      failure("UNAUTHENTICATED", "Request had invalid credentials."),
      publishing,
      "NO_CREDENTIALS",
      ["gcloud auth application-default login"],
    ],
    [
      failure("UNAVAILABLE", "Getting metadata from plugin failed with error: invalid_grant"),
      publishing,
      "NO_CREDENTIALS",
      ["gcloud auth application-default login"],
    ],
    [new Error("Could not load the default credentials. Browse to …"), publishing, "NO_CREDENTIALS", ["gcloud auth"]],
    [failure("RESOURCE_EXHAUSTED", "Quota exceeded for quota metric"), publishing, "QUOTA_EXHAUSTED", ["Quotas"]],
    [
      failure("INVALID_ARGUMENT", "Location 'nowhere1' is not a valid location."),
      { action: "create", resource: QUEUE },
      "INVALID_CONFIG",
      ["got nowhere1", "TASKS_QUEUE_LOCATION"],
    ],
    [
      failure("NOT_FOUND", "Location 'nowhere1' not found."),
      { action: "create", resource: "projects/p/locations/nowhere1/jobs/j" },
      "INVALID_CONFIG",
      ["SCHEDULER_LOCATION"],
    ],
    [
      failure("INVALID_ARGUMENT", "The value is too long."),
      publishing,
      "NOT_ACCEPTED",
      ["INVALID_ARGUMENT", "too long"],
    ],
    [
      failure(
        "UNAVAILABLE",
        "No connection established. Last error: connect ECONNREFUSED 127.0.0.1:8085. Resolution note: ",
      ),
      publishing,
      "NOT_ACCEPTED",
      ["got no connection to 127.0.0.1:8085; start the emulator there"],
    ],
    [failure("UNAVAILABLE", "No connection established."), publishing, "NOT_ACCEPTED", ["UNAVAILABLE", "try again"]],
    [failure("ABORTED", "raced"), { ...publishing, otherwise: "PROVISION_FAILED" }, "PROVISION_FAILED", ["ABORTED"]],
  ])("says what to do about %s", (error, attempted, code, parts) => {
    const told = explained(error, attempted);
    expect(told).toMatchObject({ name: "TasksError", code, cause: error });
    for (const part of parts) expect(told.message).toContain(part);
    expect(told.message).toMatch(/^(publish to|create|create a task in) projects.*: expected .*, got .*; /);
  });

  it("is told without tokens, in one line, and not at length", () => {
    const token = `eyJhbGciOi.${"x".repeat(20)}.sig`;
    const told = explained(
      new Error(`bad\nBearer abc123 and ${token} and ya29.secret-1 ${"y".repeat(1000)}`),
      publishing,
    );
    expect(told.message).not.toMatch(/abc123|eyJ|ya29|\n/);
    expect(told.message.length).toBeLessThan(500);
  });

  it("is left as it is when it is ours", () => {
    const ours = new TasksError("CLOSED", "client: closed");
    expect(explained(ours, publishing)).toBe(ours);
  });

  it.each([undefined, null, "text", { code: "ENOENT" }, { code: 99 }])("has no code when it is %s", (thrown) => {
    expect(grpcCode(thrown)).toBeUndefined();
    expect(isTransient(thrown)).toBe(false);
    expect(explained(thrown, publishing).code).toBe("NOT_ACCEPTED");
  });
});

it.each<[code: keyof typeof GRPC, transient: boolean]>([
  ["UNAVAILABLE", true],
  ["DEADLINE_EXCEEDED", true],
  ["ABORTED", true],
  ["INTERNAL", true],
  ["RESOURCE_EXHAUSTED", true],
  ["UNKNOWN", true],
  ["CANCELLED", true],
  ["NOT_FOUND", false],
  ["PERMISSION_DENIED", false],
  ["INVALID_ARGUMENT", false],
  ["ALREADY_EXISTS", false],
  ["FAILED_PRECONDITION", false],
  ["UNAUTHENTICATED", false],
])("%s may pass by itself: %s", (code, transient) => {
  expect(isTransient(failure(code, "text"))).toBe(transient);
});

it.each([
  ["projects/p/topics/t", "gcloud pubsub topics add-iam-policy-binding t --project=p"],
  ["projects/p/subscriptions/s", "gcloud pubsub subscriptions add-iam-policy-binding s --project=p"],
  ["projects/p/locations/l/queues/q", "gcloud tasks queues add-iam-policy-binding q --location=l --project=p"],
  ["projects/p/locations/l/jobs/j", "gcloud projects add-iam-policy-binding p"],
  ["projects/p/serviceAccounts/a@b", "gcloud iam service-accounts add-iam-policy-binding a@b --project=p"],
  ["projects/p", "gcloud projects add-iam-policy-binding p"],
])("grants a role on %s", (resource, command) => {
  expect(grantCommand(resource, "roles/x")).toBe(`${command} --member=serviceAccount:ACCOUNT --role=roles/x`);
});
