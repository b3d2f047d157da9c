import { describe, expect, it, vi } from "vitest";
import { localHttp } from "../../src/backends/local-http.ts";
import type { AuthFactory } from "../../src/core/auth.ts";
import type { BackendFactory } from "../../src/core/backend.ts";
import { TaskRoute } from "../../src/core/route.ts";
import { createTasks } from "../../src/create-tasks.ts";
import { createIdentity } from "../../src/engine/identity.ts";
import { createPushHandler } from "../../src/push/handle.ts";
import { noAuth } from "../../src/push/no-auth.ts";
import { oidc } from "../../src/push/oidc.ts";
import { sharedSecret } from "../../src/push/shared-secret.ts";
import { claims, EMAIL, endpoint, google, serveGoogle } from "../support/google.ts";
import { envelope, FakeRequest, wrapped } from "../support/push.ts";
import { refusalOf } from "../support/refusal.ts";
import { createScene } from "../support/scene.ts";

serveGoogle();

const SECRET = "a-secret-of-some-length";
const OTHER = "another-secret-of-length";
const URL = "https://service.example";
const production = { K_SERVICE: "service", TASKS_NAMESPACE: "shop" };
const configured = { ...production, CLOUD_RUN_SERVICE_URL: URL, TASKS_SERVICE_ACCOUNT: EMAIL };

interface Setting {
  readonly env: Record<string, string>;
  /** Named in `createTasks`. */
  readonly auth?: AuthFactory;
  /** Named where the handler is built. */
  readonly handlerAuth?: AuthFactory;
  readonly backend?: BackendFactory;
}

function build({ env, auth, handlerAuth, backend }: Setting) {
  const scene = createScene({ env });
  const tasks = createTasks({
    ...scene.options,
    ...(auth === undefined ? {} : { auth }),
    ...(backend === undefined ? {} : { backend }),
    routes: [new TaskRoute({ path: "x.a", run: () => {} })],
  });
  const handler = createPushHandler(tasks, handlerAuth === undefined ? {} : { auth: handlerAuth });
  const statusFor = async (token: string | undefined): Promise<number> => {
    const headers: Record<string, string> = token === undefined ? {} : { authorization: `Bearer ${token}` };
    const { status } = await handler.handle(new FakeRequest({ headers, body: wrapped(envelope("a", {})) }));
    return status;
  };
  return { ...scene, tasks, statusFor };
}

describe("who is let in", () => {
  const googles = (): string => google.token(claims());
  const forPath = (): string => google.token(claims({ aud: `${URL}/tasks/pubsub` }));
  const forService = (): string => google.token(claims({ aud: URL }));
  const stranger = (): string => google.token(claims({ email: "someone@else.example" }));
  const nobody = (): undefined => undefined;

  const cases: readonly [
    rule: string,
    setting: Setting,
    welcome: (() => string | undefined)[],
    refused: (() => string | undefined)[],
  ][] = [
    [
      "production: the named accounts, for the service's URL or its push path",
      { env: configured },
      [forPath, forService],
      [stranger, nobody],
    ],
    [
      "production: holders of a secret of the environment",
      { env: { ...production, TASKS_PUSH_SECRET: `${SECRET},${OTHER}` } },
      [() => SECRET, () => OTHER],
      [() => `${SECRET}x`, googles, nobody],
    ],
    [
      "production: a secret before accounts",
      { env: { ...configured, TASKS_PUSH_SECRET: SECRET } },
      [() => SECRET],
      [googles],
    ],
    ["development: anybody, where nothing is said", { env: {} }, [nobody, stranger], []],
    [
      "development: the named accounts, as soon as there are any",
      { env: { TASKS_SERVICE_ACCOUNT: EMAIL, TASKS_AUDIENCE: `${URL}/tasks/pubsub` } },
      [googles],
      [stranger, nobody],
    ],
    [
      "development: holders of a secret of the environment",
      { env: { TASKS_PUSH_SECRET: SECRET } },
      [() => SECRET],
      [nobody],
    ],
    [
      "whom createTasks names, before the environment",
      { env: configured, auth: sharedSecret(SECRET) },
      [() => SECRET],
      [forPath],
    ],
    [
      "whom the handler names, before createTasks",
      { env: configured, auth: sharedSecret(SECRET), handlerAuth: sharedSecret(OTHER) },
      [() => OTHER],
      [() => SECRET, forPath],
    ],
    [
      "whom the handler names, before the environment",
      { env: { TASKS_PUSH_SECRET: SECRET }, handlerAuth: noAuth() },
      [nobody],
      [],
    ],
  ];

  it.each(cases)("%s", async (_rule, setting, welcome, refused) => {
    const { statusFor } = build(setting);
    for (const token of welcome) expect(await statusFor(token())).toBe(200);
    for (const token of refused) expect(await statusFor(token())).toBe(403);
  });

  it("is told to come again while the certificates cannot be had", async () => {
    endpoint.answer = () => new Response(null, { status: 404 });
    const { statusFor, lines } = build({ env: configured });
    expect(await statusFor(forPath())).toBe(429);
    expect(lines).toMatchObject([{ level: "warn", message: "a push was not let in" }]);
  });

  it("is judged with what the environment says, and with the machine's time", () => {
    const auth = vi.fn(noAuth());
    build({ env: { ...configured, K_SERVICE: "" }, auth });
    expect(auth).toHaveBeenCalledExactlyOnceWith({
      production: false,
      audiences: [URL, `${URL}/tasks/pubsub`],
      serviceAccounts: [EMAIL],
      now: Date.now,
      logger: expect.anything(),
    });
  });
});

describe("a handler in production", () => {
  const incomplete: readonly [what: string, setting: Setting, text: string][] = [
    [
      "nothing at all",
      { env: production },
      "environment: 2 problems\n  - CLOUD_RUN_SERVICE_URL: expected the service's URL, or TASKS_AUDIENCE, got none; push tokens are addressed to it\n  - TASKS_SERVICE_ACCOUNT: expected the e-mail of the account that pushes, got none",
    ],
    [
      "no account",
      { env: { ...configured, TASKS_SERVICE_ACCOUNT: "" } },
      "TASKS_SERVICE_ACCOUNT: expected the e-mail of the account that pushes, got none",
    ],
    [
      "no URL",
      { env: { ...configured, CLOUD_RUN_SERVICE_URL: "" } },
      "CLOUD_RUN_SERVICE_URL: expected the service's URL",
    ],
    [
      "a short secret",
      { env: { ...production, TASKS_PUSH_SECRET: "short" } },
      "sharedSecret: expected secret 1 of 1 to have 16 characters",
    ],
    [
      "no authentication on purpose",
      { env: configured, auth: noAuth() },
      "noAuth: expected authentication in production",
    ],
    [
      "accounts of nobody on purpose",
      { env: configured, auth: oidc({ serviceAccounts: [] }) },
      "oidc serviceAccounts: expected the e-mail",
    ],
    [
      "keys of one's own",
      { env: configured, auth: oidc({ keys: { certificates: async () => ({}) } }) },
      "oidc keys: expected Google's own signing keys",
    ],
    [
      "no namespace",
      { env: { ...configured, TASKS_NAMESPACE: "", TASKS_ENVIRONMENT: "prod" } },
      "TASKS_NAMESPACE: expected the service's own name",
    ],
    [
      "a local backend",
      { env: configured, backend: localHttp() },
      "backend local-http: expected a backend of the cloud in production",
    ],
  ];

  it.each(incomplete)("with %s is not built", (_what, setting, text) => {
    expect(refusalOf(() => build(setting), "INVALID_CONFIG")).toContain(text);
  });

  it("without a backend is not built", () => {
    const { backend: _fake, ...options } = createScene({ env: configured }).options;
    const tasks = createTasks({ ...options, routes: [] });
    expect(refusalOf(() => createPushHandler(tasks), "INVALID_CONFIG")).toContain(
      "backend: expected one in production",
    );
  });

  it("does not trust a backend that signs its own tokens, even one that is allowed", async () => {
    const identity = await createIdentity({ email: "local-push@taskroute.invalid" });
    const trusted = {
      audience: URL,
      email: "local-push@taskroute.invalid",
      certificates: async () => identity.certificates(),
    };
    const { options } = createScene({ overrides: { pushTrust: trusted } });
    const { statusFor } = build({ env: configured, backend: options.backend });
    expect(await statusFor(identity.token({ audience: URL, issuedAt: new Date() }))).toBe(403);
  });
});

describe("a backend in this process that signs its pushes", () => {
  const LOCAL = "http://127.0.0.1:8080/tasks/pubsub";
  const EMAIL_LOCAL = "local-push@taskroute.invalid";

  const signing = async (setting: Setting) => {
    const identity = await createIdentity({ email: EMAIL_LOCAL });
    const trust = { audience: LOCAL, email: EMAIL_LOCAL, certificates: async () => identity.certificates() };
    const { backend } = createScene({ overrides: { pushTrust: trust } }).options;
    const local = (audience = LOCAL): string => identity.token({ audience, issuedAt: new Date() });
    return { ...build({ ...setting, backend }), local };
  };

  it("is let in, and nobody else, where nothing was said", async () => {
    const { statusFor, local } = await signing({ env: {} });
    expect(await statusFor(local())).toBe(200);
    expect(await statusFor(local())).toBe(200);
    expect(await statusFor(local(URL))).toBe(403);
    expect(await statusFor(google.token(claims()))).toBe(403);
    expect(await statusFor(undefined)).toBe(403);
  });

  const beside: readonly [what: string, setting: Setting, token: () => string][] = [
    ["createTasks names", { env: {}, auth: sharedSecret(SECRET) }, () => SECRET],
    ["the handler names", { env: {}, handlerAuth: sharedSecret(SECRET) }, () => SECRET],
    ["a secret of the environment names", { env: { TASKS_PUSH_SECRET: SECRET } }, () => SECRET],
    [
      "the environment names by account",
      { env: { TASKS_SERVICE_ACCOUNT: EMAIL } },
      () => google.token(claims({ aud: LOCAL })),
    ],
  ];

  it.each(beside)("is let in beside whom %s", async (_what, setting, token) => {
    const { statusFor, local } = await signing(setting);
    expect(await statusFor(local())).toBe(200);
    expect(await statusFor(token())).toBe(200);
    expect(await statusFor(`${SECRET}x`)).toBe(403);
    expect(await statusFor(undefined)).toBe(403);
  });
});
