// JSON as the protocol has it: names_like_this, and numbers that JavaScript must not change.

/** The value of a JSON text; `changed` is told each number that would not be the same again. */
export function parse(text, changed) {
  try {
    return JSON.parse(text, (_, value, { source }) => {
      if (typeof value === "number" && !isSame(String(value), source)) changed(source);
      return value;
    });
  } catch (error) {
    if (!(error instanceof RangeError)) throw error; // of looking into it: reading has no depth
    changed("what is nested so deeply");
    return JSON.parse(text);
  }
}

// JSON.parse makes 1 of 1.0, and 2 ** 53 of 2 ** 53 + 1.
const isSame = (back, source) => (/[.eE]/.test(source) ? /[.e]/.test(back) : back === source);

export const toSnake = (name) => name.replace(/[A-Z]/g, (big) => `_${big.toLowerCase()}`);

/** The opposite. A name that has capitals before is spoilt: it is no name of the protocol. */
export const toCamel = (name) =>
  name.replace(/[A-Z]/g, "$&?").replace(/_([a-z])/g, (_, small) => small.toUpperCase());

/** An object, or each object of an array, with its own names changed; any other value as it is. */
export function renamed(value, rule) {
  if (Array.isArray(value)) return value.map((one) => renamed(one, rule));
  if (value === null || typeof value !== "object") return value;
  return Object.fromEntries(Object.entries(value).map(([name, one]) => [rule(name), one]));
}
