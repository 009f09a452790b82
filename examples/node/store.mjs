// A session store on plain files, in a process that speaks docs/protocol.md. No packages needed.
//
// One file a session, named by the hash of its id. The first line is the id, each further line one
// batch: a batch is there whole or not at all. A file is written beside its place, synced and
// renamed; later batches are added to its end and synced. So a crash can damage the last line
// alone, and only a batch that was not acknowledged. A line that cannot be read is left out, and
// told on stderr. The first append after an opening, or after an error, writes the whole file anew;
// one with lines that cannot be read is kept beside it.
import { createHash, randomUUID } from "node:crypto";
import fs from "node:fs";
import path from "node:path";

const CLAIMS = {
  keeps: ["role", "content", "kind", "name", "call_id", "arguments", "tokens", "duration_us",
    "created_at_us", "id", "metadata"],
  roles: ["user", "assistant", "system", "tool"],
  kinds: ["text", "tool_call", "tool_result"],
  missing_session: "creates", atomic_batches: true, handles: "one", durability: "power",
  seq_start: 1, seq_after_delete: "reuse",
};
const CAPABILITIES = ["create", "list", "delete", "clear", "read_last", "page", "count"];
const CODES = { Refused: -32001, NotFound: -32003, NotRepresentable: -32006 };

let root;
const loaded = new Map(); // id → { messages, appendable, bad: lines that cannot be read }

const refusal = (type, text) => Object.assign(new Error(text), { type });
const lineOf = (value) => JSON.stringify(value) + "\n"; // lone surrogates become \ud83d

// UTF-16 as it stands: in UTF-8, ids that differ in lone surrogates alone would be one id.
const fileOf = (id) =>
  path.join(root, createHash("sha256").update(id, "utf16le").digest("hex") + ".jsonl");

function synced(file, flags, text = "") {
  const fd = fs.openSync(file, flags);
  try {
    if (text) fs.writeFileSync(fd, text); // writes until all is written
    fs.fsyncSync(fd);
  } finally {
    fs.closeSync(fd);
  }
}

function load(id) {
  if (typeof id !== "string") throw refusal("Refused", "the id of a session must be a text");
  if (!loaded.has(id) && fs.existsSync(fileOf(id))) {
    const lines = fs.readFileSync(fileOf(id), "utf8").split("\n");
    if (lines[0] + "\n" !== lineOf(id)) {
      throw new Error(`${fileOf(id)} is no file of this session: restore it from a backup`);
    }
    const messages = [];
    let bad = 0;
    for (const [index, line] of lines.entries()) {
      if (index === 0 || line === "") continue;
      try {
        messages.push(...JSON.parse(line));
      } catch {
        bad += 1;
        console.error(`line ${index + 1} of ${fileOf(id)} is damaged: it is left out`);
      }
    }
    loaded.set(id, { messages, appendable: false, bad });
  }
  return loaded.get(id);
}

function rewrite(id, messages) {
  const file = fileOf(id);
  if (loaded.has(id)) loaded.get(id).appendable = false; // in case that what follows fails
  if (loaded.get(id)?.bad) fs.copyFileSync(file, file + ".damaged");
  synced(file + ".tmp", "w", lineOf(id) + (messages.length ? lineOf(messages) : ""));
  fs.renameSync(file + ".tmp", file);
  synced(root, "r");
  loaded.set(id, { messages, appendable: true, bad: 0 });
}

function append(id, batch) {
  const session = load(id);
  const first = (session?.messages.length ?? 0) + 1;
  if (batch.length && !session?.appendable) {
    rewrite(id, [...(session?.messages ?? []), ...batch]);
  } else if (batch.length) {
    session.appendable = false; // after a failed sync nobody knows what the disk holds
    synced(fileOf(id), "a", lineOf(batch));
    for (const message of batch) session.messages.push(message);
    session.appendable = true;
  }
  return { seqs: batch.map((_, index) => first + index), ids: null };
}

const messagesOf = (id) => load(id)?.messages ?? [];

function known(id) {
  if (load(id)) return id;
  throw refusal("NotFound", "there is no such session");
}

const METHODS = {
  open(params) {
    if (params.protocol !== 1) throw new Error("this store speaks protocol 1");
    root = params.root;
    const about = { name: "node-files", version: "1", claims: CLAIMS, capabilities: CAPABILITIES };
    return { protocol: 1, ...about };
  },
  append: ({ session_id, messages }) => append(session_id, messages),
  read: ({ session_id }) => messagesOf(session_id),
  create({ session_id, messages }) {
    const id = session_id ?? randomUUID();
    if (load(id)) throw refusal("Refused", "there is a session of this id already");
    rewrite(id, messages);
    return id;
  },
  list: () => fs.readdirSync(root).filter((name) => name.endsWith(".jsonl"))
    .map((name) => JSON.parse(fs.readFileSync(path.join(root, name), "utf8").split("\n", 1)[0])),
  delete({ session_id }) {
    fs.unlinkSync(fileOf(known(session_id)));
    fs.rmSync(fileOf(session_id) + ".damaged", { force: true });
    loaded.delete(session_id);
    synced(root, "r");
  },
  clear: ({ session_id }) => rewrite(known(session_id), []),
  read_last: ({ session_id, n }) => (n > 0 ? messagesOf(session_id).slice(-n) : []),
  page({ session_id, cursor, limit }) {
    const end = (cursor ?? 0) + limit;
    const messages = messagesOf(session_id);
    return { messages: messages.slice(cursor ?? 0, end), next: end < messages.length ? end : null };
  },
  count: ({ session_id }) => messagesOf(session_id).length,
  close: () => void process.stdin.destroy(), // nothing else is open: the process ends by itself
};

// JSON.parse makes 1 of 1.0 and 2 ** 53 of 2 ** 53 + 1: such numbers are refused, never changed.
function changedNumber(line) {
  const numbers = line.replace(/\\./g, "").replace(/"[^"]*"/g, "").match(/-?\d[\d.eE+-]*/g) ?? [];
  return numbers.find((number) => {
    const back = String(Number(number));
    return /[.eE]/.test(number) ? !/[.e]/.test(back) : back !== number;
  });
}

// The innermost line of a file of ours, as in "store.mjs:41"; those of Node itself are "node:fs:573".
const raisedAt = (error) => /([^/\s(]+\.m?js:\d+):\d+\)?$/m.exec(error.stack ?? "")?.[1];

function answer(line) {
  const { id, method, params } = JSON.parse(line);
  try {
    if (!Object.hasOwn(METHODS, method)) throw refusal("Refused", `there is no method ${method}`);
    const number = changedNumber(line);
    if (number) throw refusal("NotRepresentable", `JavaScript cannot keep the number ${number}`);
    return { jsonrpc: "2.0", id, result: METHODS[method](params) ?? null };
  } catch (error) { // any other code than these leaves it open whether the call took effect
    const type = error.type ?? error.name;
    const code = CODES[type] ?? -32000;
    const data = { type, at: raisedAt(error) }; // what is undefined is left out of the JSON
    return { jsonrpc: "2.0", id, error: { code, message: String(error.message), data } };
  }
}

// By hand, as Node's readline would also break lines at U+2028, which a JSON text may hold.
let begun = [];
process.stdin.setEncoding("utf8").on("data", (text) => {
  text.split("\n").forEach((part, index) => {
    if (index > 0) { // a newline stood before this part, so the line up to it is whole
      process.stdout.write(lineOf(answer(begun.join(""))));
      begun = [];
    }
    begun.push(part);
  });
});
