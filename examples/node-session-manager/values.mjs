// What callers pass, checked, and turned into what the database keeps without loss.
import { Refusal } from "./database.mjs";

export const ROLES = ["user", "assistant", "system", "tool", "developer"];
export const KINDS = ["text", "tool_call", "tool_result"];
export const KEEPS = [
  "role", "content", "kind", "name", "call_id", "arguments", "tokens", "duration_us",
  "created_at_us", "metadata",
];
const FIELDS = [...KEEPS, "id"];

/** A text as the inside of a JSON string, and back: see schema.mjs. */
export const escaped = (text) => (text === null ? null : JSON.stringify(text).slice(1, -1));
export const unescaped = (text) => (text === null ? null : JSON.parse(`"${text}"`));

/** The text; throws when it is none. */
export function textOf(value, name) {
  if (typeof value === "string") return value;
  throw new Refusal(`${name} must be a text, not ${kindOf(value)}`);
}

/** The text, which is not empty, as it is kept. */
export function keyOf(value, name = "the id of a session") {
  if (textOf(value, name) === "") throw new Refusal(`${name} must not be empty`);
  return escaped(value);
}

/** The whole number from `least` on. */
export function wholeOf(value, name, least = 0) {
  if (Number.isSafeInteger(value) && value >= least) return value;
  throw new Refusal(`${name} must be a whole number of at least ${least}, not ${kindOf(value)}`);
}

/** The value as JSON text. */
export function jsonOf(value, name) {
  try {
    if (isJson(value)) return JSON.stringify(value);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new Refusal(`${name} is nested too deeply`, "TooLarge");
  }
  throw new Refusal(`${name} holds what JSON cannot express`);
}

/** An object, or null, as JSON text or null. */
export function objectOf(value, name) {
  if (value === null) return null;
  if (!isObject(value)) throw new Refusal(`${name} must be an object or null`);
  return jsonOf(value, name);
}

/** Messages as the database takes them: of each its body, its tokens, its duration. */
export function bodiesOf(messages) {
  if (Array.isArray(messages)) return messages.map((message) => encoded(message));
  throw new Refusal(`messages must be an array, not ${kindOf(messages)}`);
}

function encoded(message) {
  if (!isObject(message)) throw new Refusal(`a message must be an object, not ${kindOf(message)}`);
  const given = Object.entries(message).filter(([, value]) => value !== undefined);
  for (const [name, value] of given) checkField(name, value);
  const { tokens = null, duration_us = null, id, ...rest } = Object.fromEntries(given);
  if (!("role" in rest && "content" in rest)) throw new Refusal("a message needs role and content");
  return [jsonOf(rest, "a message"), tokens, duration_us];
}

/** The message of a row. Its id is its number; without a time of its own it has the store's. */
export const decoded = ({ seq, body, tokens, duration_us, appended_at_us }) => ({
  created_at_us: appended_at_us, ...JSON.parse(body), tokens, duration_us, id: String(seq),
});

function checkField(name, value) {
  if (!FIELDS.includes(name)) throw new Refusal(`a message has no field ${JSON.stringify(name)}`);
  if (name === "kind" || (name === "role" && value !== null)) {
    const known = name === "kind" ? KINDS : ROLES;
    if (!known.includes(value)) throw new Refusal(`${name} must be one of ${known.join(", ")}`);
  } else if (value === null) {
    return;
  } else if (["name", "call_id", "id"].includes(name)) {
    textOf(value, name);
  } else if (["tokens", "duration_us", "created_at_us"].includes(name)) {
    wholeOf(value, name);
  } else if (name === "metadata" && !isObject(value)) {
    throw new Refusal("metadata must be an object or null");
  }
}

function isJson(value) {
  if (value === null || ["string", "boolean"].includes(typeof value)) return true;
  if (typeof value === "number") return Number.isFinite(value) && !Object.is(value, -0);
  if (Array.isArray(value)) return value.every(isJson);
  return isObject(value) && Object.values(value).every(isJson);
}

/** Whether it is a plain object, as those that JSON makes. */
export function isObject(value) {
  if (value === null || typeof value !== "object") return false;
  return [Object.prototype, null].includes(Object.getPrototypeOf(value));
}

const kindOf = (value) => (value === null ? "null" : `a ${typeof value}`);
