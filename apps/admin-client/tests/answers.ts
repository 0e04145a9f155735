/**
 * Holds every answer against what a description promises for it: a status that it names, and a body of that shape. Bodies may have more
 * than the description knows, as they may for any client that was written earlier.
 */
import { Ajv2020 } from "ajv/dist/2020.js";
import formats from "ajv-formats";
import type { Middleware } from "openapi-fetch";

interface Content {
  content?: Record<string, { schema?: object }>;
}

interface Description {
  paths: Record<string, Record<string, { responses: Record<string, Content> }>>;
  components: object;
}

export class Answers {
  /** Calls by what was asked and answered, as `GET /api/erp/status 200`. */
  readonly seen = new Set<string>();
  readonly #description: Description;
  readonly #ajv = new Ajv2020({ strict: false, allErrors: true });

  constructor(description: Description) {
    this.#description = description;
    formats.default(this.#ajv);
    this.#ajv.addSchema({ $id: "description", components: description.components });
  }

  /** For a client: fails the call whose answer is not what was promised. */
  middleware(): Middleware {
    return {
      onResponse: async ({ request, response, schemaPath }) => {
        const call = `${request.method} ${schemaPath} ${response.status}`;
        this.seen.add(call);
        const promised = this.#description.paths[schemaPath]?.[request.method.toLowerCase()]?.responses[response.status];
        if (!promised) {
          throw new Error(`${call} is not described: ${await response.clone().text()}`);
        }
        const schema = promised.content?.["application/json"]?.schema;
        if (schema) {
          const body: unknown = await response.clone().json();
          const validate = this.#ajv.compile(this.#absolute(schema));
          if (!validate(body)) {
            throw new Error(`${call}: ${this.#ajv.errorsText(validate.errors)} in ${JSON.stringify(body)}`);
          }
        }
      },
    };
  }

  #absolute(schema: object): object {
    return JSON.parse(JSON.stringify(schema).replaceAll('"#/components/', '"description#/components/')) as object;
  }
}
