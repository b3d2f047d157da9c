import type { Call } from "./calls.ts";

/** One way to make a call over REST. */
export interface HttpRule {
  readonly call: Call;
  /** In capitals. */
  readonly verb: string;
  /** Field that the body holds, `*` for the whole request, empty for none. */
  readonly body: string;
  readonly pattern: RegExp;
  /** Paths of the fields that the groups of the pattern hold, in order, e.g. `topic.name`. */
  readonly variables: readonly string[];
}

/** A rule that fits a request, with the values of its variables. */
export interface RuleMatch {
  readonly rule: HttpRule;
  readonly variables: readonly (readonly [path: string, value: string])[];
}

const VERBS = ["get", "put", "post", "delete", "patch"] as const;

/** The form that a rule has in the options of a proto. https://github.com/googleapis/googleapis/blob/master/google/api/http.proto */
interface RuleOption extends Partial<Record<(typeof VERBS)[number], string>> {
  readonly body?: string;
  readonly additional_bindings?: RuleOption | readonly RuleOption[];
}

/**
 * Pub/Sub reads policies with GET, unlike the general IAM service whose proto it uses.
 * https://cloud.google.com/pubsub/docs/reference/rest/v1/projects.topics/getIamPolicy
 */
const EXTRA: Readonly<Record<string, RuleOption>> = {
  "google.iam.v1.IAMPolicy/GetIamPolicy": { get: "/v1/{resource=**}:getIamPolicy" },
};

/** The rules of all calls; those that end in a custom verb, such as `:publish`, come first. */
export function rulesOf(calls: readonly Call[]): readonly HttpRule[] {
  const rules = calls.flatMap((call) => {
    const extra = EXTRA[`${call.service}/${call.name}`];
    const own = [call.http as RuleOption | undefined, extra].filter((option) => option !== undefined);
    return own
      .flatMap((option) => [option, ...listed(option.additional_bindings)])
      .flatMap((option) => ruleOf(call, option));
  });
  const hasVerb = ({ pattern }: HttpRule) => (/:\w+\$$/.test(pattern.source) ? 0 : 1);
  return rules.sort((a, b) => hasVerb(a) - hasVerb(b));
}

/** The first rule that fits a method and a path. */
export function matchRule(rules: readonly HttpRule[], verb: string, path: string): RuleMatch | undefined {
  for (const rule of rules) {
    if (rule.verb !== verb) continue;
    const match = rule.pattern.exec(path);
    if (match === null) continue;
    const variables = rule.variables.map((name, index) => [name, decodeURIComponent(match[index + 1] ?? "")] as const);
    return { rule, variables };
  }
  return undefined;
}

function listed<T>(value: T | readonly T[] | undefined): readonly T[] {
  if (value === undefined) return [];
  return Array.isArray(value) ? value : [value as T];
}

function ruleOf(call: Call, option: RuleOption): HttpRule[] {
  return VERBS.flatMap((verb) => {
    const template = option[verb];
    if (template === undefined) return [];
    const variables: string[] = [];
    const source = template.replace(
      /\{([^=}]+)(?:=([^}]+))?\}|[.+?^$()|[\]\\]|\*\*|\*/g,
      (part, name?: string, inner = "*") => {
        if (name === undefined) return part.startsWith("*") ? wildcards(part) : `\\${part}`;
        variables.push(name);
        return `(${wildcards(inner)})`;
      },
    );
    return [{ call, verb: verb.toUpperCase(), body: option.body ?? "", pattern: new RegExp(`^${source}$`), variables }];
  });
}

function wildcards(template: string): string {
  return template.replace(/\*\*|\*/g, (stars) => (stars === "*" ? "[^/]+" : ".+"));
}
