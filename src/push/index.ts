export { type BodyContent, BodyTooLarge } from "./body.ts";
export { createPushHandler, type PushHandler, type PushOptions } from "./handle.ts";
export type { PushRequest, PushResponse } from "./request.ts";
export { responseOf } from "./status.ts";
