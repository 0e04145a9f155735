/**
 * The admin API's client. What can be called, with what, and what comes back is generated from the services' own description
 * (`schema.ts`, by `npm run generate`), so that a drift does not compile.
 */
import createClient, { type Client, type Middleware } from "openapi-fetch";

import type { components, paths } from "./schema.js";

export type { components, paths } from "./schema.js";

/** The body of every answer that is an error. */
export type ApiError = components["schemas"]["Error"];

/** How the caller says who it is. */
export type Access =
  /** A bearer token, or whatever makes one for each call. */
  | { token: string | (() => string | Promise<string>) }
  /** The panel's session: the browser sends the cookie, and what changes something carries the session's CSRF token. */
  | { csrfToken: () => string | Promise<string> };

export interface Options {
  /** The gateway's origin; that of the page when it isn't given. */
  baseUrl?: string;
  access: Access;
  fetch?: (request: Request) => Promise<Response>;
}

const READS = new Set(["GET", "HEAD"]);

/** A client of the admin API. */
export function adminClient({ baseUrl, access, fetch }: Options): Client<paths> {
  const client = createClient<paths>({ baseUrl: baseUrl ?? "", ...(fetch && { fetch }) });
  client.use(signed(access));
  return client;
}

function signed(access: Access): Middleware {
  return {
    async onRequest({ request }) {
      if ("token" in access) {
        const token = typeof access.token === "string" ? access.token : await access.token();
        request.headers.set("Authorization", `Bearer ${token}`);
      } else if (!READS.has(request.method)) {
        request.headers.set("X-CSRF-Token", await access.csrfToken());
      }
      return request;
    },
  };
}
