/** The parts of a full name such as `projects/P/locations/L/queues/Q`. */
export interface NameParts {
  readonly project: string;
  /** Of a queue, a job, or a parent of those; a topic or subscription has none. */
  readonly location: string | undefined;
  /** The last part. */
  readonly id: string;
}

/** Takes a full name apart. */
export function partsOf(name: string): NameParts {
  const [, project = "", collection, location] = name.split("/");
  return {
    project,
    location: collection === "locations" ? location : undefined,
    id: name.slice(name.lastIndexOf("/") + 1),
  };
}

/** The collection that a resource is listed in: its full name without the id. */
export function parentOf(name: string): string {
  return name.slice(0, name.lastIndexOf("/"));
}
