/** Fields of a settings object and of the objects in it, as paths; labels, whose names are data, are one field. */
export type PathOf<Settings> = Settings extends unknown ? Exclude<Leaf<Settings>, ""> : never;

type Leaf<Value> = Value extends string | number | boolean
  ? ""
  : string extends keyof Value
    ? ""
    : { [Name in keyof Value & string]-?: Join<Name, Leaf<NonNullable<Value[Name]>>> }[keyof Value & string];

type Join<Name extends string, Rest extends string> = Rest extends "" ? Name : `${Name}.${Rest}`;

/** The fields that an object has, with their values. */
export function leavesOf(value: object, path = ""): readonly (readonly [path: string, value: unknown])[] {
  return Object.entries(value).flatMap(([name, field]) => {
    const at = path === "" ? name : `${path}.${name}`;
    if (field === undefined) return [];
    return typeof field === "object" && field !== null && name !== "labels" ? leavesOf(field, at) : [[at, field]];
  });
}
