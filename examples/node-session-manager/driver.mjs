// The session manager as a store under test: docs/protocol.md, one call and one answer a line.
import { CLAIMS } from "./claims.mjs";
import { managerWith } from "./faulty.mjs";
import { parse, renamed, toCamel, toSnake } from "./json.mjs";
import { Refusal, now } from "./session-manager.mjs";

const ID = ["session_id"];
const STORE = { __proto__: null, // methods, and their parameters in the order of the manager
  append: [...ID, "messages"], read: ID, create: [...ID, "messages"], get: ID, list: [], delete: ID,
  clear: ID, read_last: [...ID, "n"], page: [...ID, "cursor", "limit"], count: ID, pop_last: ID,
  delete_message: [...ID, "message_id"], get_state: [...ID, "key"],
  set_state: [...ID, "key", "value"], tables: [],
};
const CALLS = { __proto__: null, // of a session manager, likewise
  generate_session_id: ["message"], create_session: ["first_user_message", "session_id", "chat_id"],
  get_session: ID, update_session: [...ID, "changes"], update_parent_id: [...ID, "parent_id"],
  set_chat_id: [...ID, "chat_id"], delete_session: ID, is_new_session: ID, get_parent_id: ID,
  cleanup: [], start_cleanup: ["interval_us"], stop_cleanup: [], shutdown: [], get_metrics: [],
  get_active_sessions: [], get_session_count: [], get_all_sessions: [], clear_all: [],
};
const CODES = { Refused: -32001, Conflict: -32002, NotFound: -32003, TooLarge: -32005,
  NotRepresentable: -32006 }; // any other code leaves it open whether the call took effect
const Manager = managerWith(process.argv.slice(2));
let manager, timeOfTests = null;

const PROTOCOL = {
  open({ root }) {
    manager = new Manager(root, { clock: () => timeOfTests ?? now() });
    const all = [...Object.keys(STORE), "manager", "set_clock"];
    const capabilities = all.filter((name) => !["append", "read"].includes(name));
    return { protocol: 1, name: "node-manager", version: "1", claims: CLAIMS, capabilities };
  },
  close: () => void (manager.shutdown(), process.stdin.destroy()), // nothing else keeps it alive
  set_clock: ({ now_us: time }) => void (timeOfTests = time),
  manager({ call, arguments: given }) {
    const wrong = Object.keys(given).filter((name) => !CALLS[call]?.includes(name));
    if (!CALLS[call] || wrong.length) throw new Refusal(`there is no call ${call}(${wrong})`);
    const [first, ...more] = CALLS[call].map((name) => renamed(given[name], toCamel));
    const options = call === "create_session" ? [{ sessionId: more[0], chatId: more[1] }] : more;
    return renamed(manager[toCamel(call)](first, ...options), toSnake);
  },
};
function answer(line) {
  const changed = [];
  const { id, method, params } = parse(line, (number) => changed.push(number));
  try {
    if (changed.length) throw new Refusal(`JavaScript cannot keep ${changed}`, "NotRepresentable");
    const values = STORE[method]?.map((name) => params[name]);
    const result = values ? manager[toCamel(method)](...values) : PROTOCOL[method](params);
    return { jsonrpc: "2.0", id, result: result ?? null };
  } catch ({ type, name, message, stack }) {
    const data = { type: type ?? name, at: /([^/\s(]+\.m?js:\d+):\d+\)?$/m.exec(stack ?? "")?.[1] };
    return { jsonrpc: "2.0", id, error: { code: CODES[type] ?? -32000, message, data } };
  }
}
let begun = []; // by hand, as Node's readline would also break lines at U+2028
process.stdin.setEncoding("utf8").on("data", (text) => text.split("\n").forEach((part, index) => {
  if (index > 0) process.stdout.write(`${JSON.stringify(answer(begun.splice(0).join("")))}\n`);
  begun.push(part);
}));
