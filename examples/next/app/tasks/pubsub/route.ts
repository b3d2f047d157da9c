import { nextHandler } from "taskroute/next";
import { tasks } from "../../../tasks.ts";

/** Where tasks are pushed to. Environment and authentication are settled at the first request, not by `next build`. */
export const POST = nextHandler(tasks);
