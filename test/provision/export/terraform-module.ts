import { leavesOf } from "./leaves.ts";

type Body = Readonly<Record<string, unknown>>;
type Blocks = Readonly<Record<string, Readonly<Record<string, Body>>>>;

/** One block of a module. */
export interface Block {
  /** `type.label` */
  readonly address: string;
  readonly type: string;
  /** As it is written. */
  readonly body: Body;
  /** Its arguments by path, as Terraform would evaluate them. */
  readonly arguments: ReadonlyMap<string, unknown>;
}

/** A module in JSON syntax, as far as Terraform understands it without a provider. */
export interface Module {
  readonly resources: readonly Block[];
  readonly data: readonly Block[];
  readonly variables: Readonly<Record<string, { readonly type: string; readonly default: string }>>;
}

/** What data sources read in these tests. */
const READ: Readonly<Record<string, string>> = { "google_project.project.number": "123456" };

/** Reads a module, and evaluates its templates; refuses a reference to what it does not declare. */
export function readModule(text: string): Module {
  const file = JSON.parse(text) as { variable?: Module["variables"]; data?: Blocks; resource?: Blocks };
  const variables = file.variable ?? {};
  const evaluate = (expression: string): string => {
    const quoted = /^"([^"]*)"$/.exec(expression)?.[1];
    if (quoted !== undefined) return quoted;
    const [first = "", ...rest] = expression.split(".");
    if (first === "var") return of(variables[rest[0] ?? ""]?.default, expression);
    const [type = "", label = "", attribute = ""] = first === "data" ? rest : [first, ...rest];
    const body = of((first === "data" ? file.data : file.resource)?.[type]?.[label], expression);
    if (first === "data" && type === "google_project") return of(READ[rest.join(".")], expression);
    return attributeOf(type, attribute, (name) => template(String(body[name])));
  };
  const template = (written: string): string => evaluated(written, evaluate);
  const blocks = (all: Blocks = {}): readonly Block[] =>
    Object.entries(all).flatMap(([type, labels]) =>
      Object.entries(labels).map(([label, body]) => ({
        address: `${type}.${label}`,
        type,
        body,
        arguments: new Map(leavesOf(body).map(([path, value]) => [path, evaluatedValue(value, template)])),
      })),
    );
  return { variables, data: blocks(file.data), resources: blocks(file.resource) };
}

function of<T>(value: T | undefined, expression: string): T {
  if (value === undefined) throw new Error(`there is no ${expression}`);
  return value;
}

function evaluatedValue(value: unknown, template: (written: string) => string): unknown {
  if (typeof value === "string") return template(value);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, text]) => [name, template(String(text))]));
}

/** Attributes that the provider derives, as its documentation says. */
function attributeOf(type: string, attribute: string, argument: (name: string) => string): string {
  if (attribute !== "id" && type !== "google_service_account") return argument(attribute);
  switch (type) {
    case "google_pubsub_topic":
      return `projects/${argument("project")}/topics/${argument("name")}`;
    case "google_pubsub_subscription":
      return `projects/${argument("project")}/subscriptions/${argument("name")}`;
    case "google_cloud_tasks_queue":
      return `projects/${argument("project")}/locations/${argument("location")}/queues/${argument("name")}`;
    case "google_service_account": {
      const id = argument("account_id");
      const email = id.includes("@") ? id : `${id}@${argument("project")}.iam.gserviceaccount.com`;
      return attribute === "email" ? email : `projects/-/serviceAccounts/${email}`;
    }
    default:
      throw new Error(`${type} has no ${attribute}`);
  }
}

/** A template evaluated: `$${` and `%%{` are texts, `${…}` is an expression. */
export function evaluated(written: string, evaluate: (expression: string) => string): string {
  let text = "";
  let rest = written;
  for (;;) {
    const found = /\$\$\{|%%\{|\$\{((?:"[^"]*"|[^"}])*)\}|%\{/.exec(rest);
    if (found === null) return text + rest;
    const [token, expression] = found;
    if (token === "%{") throw new Error(`there is a directive in ${written}`);
    text += rest.slice(0, found.index);
    text += expression === undefined ? token.slice(1) : evaluate(expression);
    rest = rest.slice(found.index + token.length);
  }
}
