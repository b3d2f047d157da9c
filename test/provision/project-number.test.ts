import { HttpResponse, http } from "msw";
import { setupServer } from "msw/node";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { projectNumber } from "../../src/provision/project-number.ts";
import { configOf } from "./scene.ts";

const server = setupServer();
beforeAll(() => server.listen());
afterEach(() => server.resetHandlers());
afterAll(() => server.close());

const METADATA = "http://metadata.google.internal/computeMetadata/v1/project";

/** A metadata server of a project. */
function metadata(id: string, number: string) {
  const answer = (text: string) => (info: { request: Request }) =>
    info.request.headers.get("metadata-flavor") === "Google"
      ? new HttpResponse(text)
      : new HttpResponse("", { status: 403 });
  server.use(
    http.get(`${METADATA}/project-id`, answer(id)),
    http.get(`${METADATA}/numeric-project-id`, answer(number)),
  );
}

const asked: string[] = [];
const manager = async (url: string) => {
  asked.push(url);
  return { name: "projects/77", projectId: "p" };
};
afterEach(() => asked.splice(0));

describe("the number of the project", () => {
  it("is what GCP_PROJECT_NUMBER says, and nobody is asked", async () => {
    expect(await projectNumber(configOf({ GCP_PROJECT_NUMBER: "42", K_SERVICE: "shop" }), manager)).toBe("42");
    expect(asked).toEqual([]);
  });

  it("is what the metadata server tells on Cloud Run, if it is of the same project", async () => {
    metadata("p", "55");
    expect(await projectNumber(configOf({ K_SERVICE: "shop" }), manager)).toBe("55");
    metadata("another", "55");
    expect(await projectNumber(configOf({ K_SERVICE: "shop" }), manager)).toBe("77");
  });

  it("is asked of Cloud Resource Manager elsewhere, and where there is no metadata server", async () => {
    expect(await projectNumber(configOf(), manager)).toBe("77");
    server.use(http.get(`${METADATA}/*`, () => HttpResponse.error()));
    expect(await projectNumber(configOf({ K_SERVICE: "shop" }), manager)).toBe("77");
    expect(asked).toEqual(Array(2).fill("https://cloudresourcemanager.googleapis.com/v3/projects/p"));
  });

  it.each<[text: string, answer: () => Promise<unknown>, got: string]>([
    ["a refusal", () => Promise.reject(Object.assign(new Error("ya29.secret"), { status: 403 })), "HTTP status 403"],
    ["no connection", () => Promise.reject(new Error("ENOTFOUND")), "no answer that holds it"],
    ["an answer without it", async () => ({ name: "p" }), "no answer that holds it"],
    ["no answer", async () => undefined, "no answer that holds it"],
  ])("says how to set it after %s", async (_, answer, got) => {
    const refusal = projectNumber(configOf(), answer);
    await expect(refusal).rejects.toMatchObject({ code: "NOT_PERMITTED" });
    await expect(refusal).rejects.toThrow(
      `grants: expected the number of project p from Cloud Resource Manager, got ${got}; set GCP_PROJECT_NUMBER to what gcloud projects describe p --format="value(projectNumber)" prints, or pass grants: "project"`,
    );
  });

  it("is what an emulator says, and any where it says nothing", async () => {
    const env = { PUBSUB_EMULATOR_HOST: "127.0.0.1:8085" };
    server.use(http.get("http://127.0.0.1:8085/v3/projects/p", () => HttpResponse.json({ name: "projects/88" })));
    expect(await projectNumber(configOf(env), manager)).toBe("88");
    server.use(http.get("http://127.0.0.1:8085/v3/projects/p", () => new HttpResponse("", { status: 404 })));
    expect(await projectNumber(configOf(env), manager)).toMatch(/^\d+$/);
    server.use(http.get("http://127.0.0.1:8085/v3/projects/p", () => HttpResponse.error()));
    expect(await projectNumber(configOf(env), manager)).toMatch(/^\d+$/);
    expect(asked).toEqual([]);
  });

  it("is refused where GCP_PROJECT_NUMBER is none", () => {
    expect(() => configOf({ GCP_PROJECT_NUMBER: "p" })).toThrow('GCP_PROJECT_NUMBER: expected digits, got "p"');
  });
});
