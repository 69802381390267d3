/** What a request must look like, and the description of the service in OpenAPI 3.1. */
import type { Predictor } from "@torte/data";
import { z } from "zod";

const cell = z.union([z.string().max(100_000), z.number(), z.null()]);
/** An image as a data: address; what a request may have in all is limited beside. */
const image = z.union([z.string().max(2 ** 25), z.null()]);

/** `{ rows: [{ column: cell, … }] }`; other columns than the model's may come along. */
export function schemaOf({ encoding }: Predictor, maxRows: number) {
  const kinds = encoding.kinds;
  const row = z.looseObject(
    Object.fromEntries(encoding.columns.map((column) => [column, kinds[column] === "image" ? image : cell])),
  );
  return z.strictObject({
    rows: z
      .array(row as z.ZodType<Record<string, string | number | null>>)
      .min(1)
      .max(maxRows),
  });
}

function answerOf({ encoding, models }: Predictor) {
  const { target } = encoding;
  const share = z.number().min(0).max(1);
  const told = {
    regression: () => ({ label: z.number() }),
    multiLabel: () => ({ label: z.string(), probabilities: z.record(z.string(), share) }),
    classes: (labels: readonly string[]) => ({ label: z.enum(labels as [string, ...string[]]), probability: share }),
  };
  const answer =
    target.kind === "regression" || target.kind === "multiLabel" ? told[target.kind]() : told.classes(target.labels);
  return z.object({
    predictions: z.array(
      z.union([
        z.object({
          ...answer,
          ...(models.length > 1 ? { uncertainty: z.number().min(0) } : {}),
        }),
        z.object({ column: z.string(), problem: z.string() }),
      ]),
    ),
  });
}

export function openApi(
  predictor: Predictor,
  { name, version, maxRows }: { readonly name: string; readonly version: string; readonly maxRows: number },
): object {
  const json = (schema: z.ZodType): object => ({ "application/json": { schema: z.toJSONSchema(schema) } });
  const error = { description: "What is wrong", content: json(z.object({ error: z.string() })) };
  const plain = (description: string): object => ({
    get: { summary: description, responses: { 200: { description } } },
  });
  return {
    openapi: "3.1.0",
    info: { title: name, version, description: `Predictions of ${predictor.encoding.target.column}.` },
    paths: {
      "/predict": {
        post: {
          summary: `Predict ${predictor.encoding.target.column} of up to ${maxRows} rows`,
          requestBody: { required: true, content: json(schemaOf(predictor, maxRows)) },
          responses: {
            200: { description: "An answer for each row, in their order", content: json(answerOf(predictor)) },
            400: error,
            413: error,
            415: error,
            429: error,
            503: error,
          },
        },
      },
      "/health": plain("The process is alive"),
      "/ready": {
        get: {
          summary: "Whether requests are taken",
          responses: { 200: { description: "Yes" }, 503: { description: "It ends" } },
        },
      },
      "/metrics": plain("Metrics in Prometheus's text format"),
    },
  };
}
