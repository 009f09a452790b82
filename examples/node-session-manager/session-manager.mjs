// A session manager: it names sessions, keeps facts and messages of them, and lets them run out.
//
// A session is over when nobody accessed it for `timeoutUs`. Accesses are to make it, to get it, to
// update it, and to append to it. That of getting it is written at most once in `accessStepUs`, so
// that a read is seldom a write; therefore sessions live up to that much longer, never shorter.
import { createHash, randomUUID } from "node:crypto";
import { Database, Refusal } from "./database.mjs";
import { BACK_US, later } from "./schema.mjs";
import {
  bodiesOf, decoded, escaped, isObject, jsonOf, keyOf, objectOf, textOf, unescaped, wholeOf,
} from "./values.mjs";

export { Refusal };

const MINUTE_US = 60_000_000;
const BATCH = 500; // sessions that a clean-up removes in one statement, so that others can write
const LONGEST_MS = 2 ** 31 - 1; // of Node's timers; longer ones would fire at once

const FACTS = { // of a session that can be changed, and how each is kept
  firstUserMessage: (value) => (value === null ? null : escaped(textOf(value, "firstUserMessage"))),
  chatId: (value) => (value === null ? null : keyOf(value, "chatId")),
  parentId: (value) => (value === null ? null : keyOf(value, "parentId")),
  metadata: (value) => objectOf(value, "metadata"),
};
const COLUMNS = {
  firstUserMessage: "first_user_message", chatId: "chat_id", parentId: "parent_id",
  metadata: "metadata",
};

const SESSION = `SELECT id, session_id, created_at_us, last_accessed_us, first_user_message,
  chat_id, parent_id, metadata FROM sessions`;
const ALIVE = "session_id = ? AND last_accessed_us > ?"; // the second is what #edge answers
const LATER = later("?"); // takes the time twice
const OF_SESSION = `sid = (SELECT id FROM sessions WHERE ${ALIVE})`;
const MESSAGES = (which = "") => `SELECT m.* FROM sessions AS s
  LEFT JOIN messages AS m ON m.sid = s.id ${which} WHERE ${ALIVE} ORDER BY m.seq`;

/** Microseconds since 1970: as exact as Node can tell, and never far from the machine's clock. */
export function now() {
  const exact = performance.timeOrigin + performance.now(); // does not follow a clock that is set
  const wall = Date.now();
  return Math.trunc((Math.abs(exact - wall) < 2 ? exact : wall) * 1000);
}

export class SessionManager {
  #database;
  #clock;
  #warn;
  #timer = null;
  #counted = { created: 0, deleted: 0, expired: 0, cleanups: 0 };
  #cleanupError = null;

  /**
   * Opens the database in a directory, which must exist, and cleans up in the background. `warn` is
   * told of messages that the disk has damaged: they are left out, and hide no others.
   */
  constructor(directory, {
    timeoutUs = 30 * MINUTE_US, accessStepUs = MINUTE_US, cleanupIntervalUs = null,
    digest = "md5", clock = now, warn = console.warn,
  } = {}) {
    if (!["md5", "sha256"].includes(digest)) throw new Refusal("digest must be md5 or sha256");
    this.timeoutUs = wholeOf(timeoutUs, "timeoutUs", 1);
    this.accessStepUs = wholeOf(accessStepUs, "accessStepUs");
    this.digest = digest;
    this.#clock = clock;
    this.#warn = warn;
    this.#database = new Database(directory);
    this.startCleanup(cleanupIntervalUs);
  }

  // One session

  /** The digest of a message, as ids were once made. Equal messages have equal ones. */
  generateSessionId(message) {
    this.#checkOpen();
    if (textOf(message, "message").isWellFormed()) {
      return createHash(this.digest).update(message).digest("hex");
    }
    throw new Refusal("message has half of a character, which has no digest", "NotRepresentable");
  }

  /** A new session with a random id, or with this one; a Conflict where that is taken. */
  createSession(firstUserMessage = null, { sessionId = null, chatId = null } = {}) {
    const facts = { firstUserMessage, chatId };
    return this.#shown(this.#make(sessionId, facts, []));
  }

  /** The session, whose life begins anew; null when it is unknown or over. */
  getSession(sessionId) {
    const at = this.#clock();
    const one = [keyOf(sessionId), this.#edge(at)];
    let row = this.#db.one(`${SESSION} WHERE ${ALIVE}`, ...one);
    const age = row ? at - row.last_accessed_us : 0;
    if (row && (age < -BACK_US || age >= this.accessStepUs)) { // it may have gone since
      row = this.#db.one(`UPDATE sessions SET ${LATER} WHERE ${ALIVE} RETURNING *`, at, at, ...one);
    }
    return row ? this.#shown(row) : null;
  }

  /** Sets some of firstUserMessage, chatId, parentId, metadata; false: it is unknown or over. */
  updateSession(sessionId, changes) {
    if (!isObject(changes)) throw new Refusal("changes must be an object");
    const names = Object.keys(changes);
    const unknown = names.find((name) => !Object.hasOwn(FACTS, name));
    if (unknown !== undefined) throw new Refusal(`a session has no ${JSON.stringify(unknown)}`);
    const values = names.map((name) => FACTS[name](changes[name]));
    const set = names.map((name) => `${COLUMNS[name]} = ?, `).join("");
    const at = this.#clock();
    const sql = `UPDATE sessions SET ${set}${LATER} WHERE ${ALIVE}`;
    return this.#db.run(sql, ...values, at, at, keyOf(sessionId), this.#edge(at)) > 0;
  }

  updateParentId(sessionId, parentId) {
    return this.updateSession(sessionId, { parentId });
  }

  setChatId(sessionId, chatId) {
    return this.updateSession(sessionId, { chatId });
  }

  /** Removes the session and its messages, also when it is over; false when it is unknown. */
  deleteSession(sessionId) {
    const removed = this.#db.run("DELETE FROM sessions WHERE session_id = ?", keyOf(sessionId));
    this.#counted.deleted += removed;
    return removed > 0;
  }

  /** Whether it has no parent id, or is unknown, or over. No access. */
  isNewSession(sessionId) {
    return this.getParentId(sessionId) === null;
  }

  /** Its parent id or null. No access. */
  getParentId(sessionId) {
    const sql = `SELECT parent_id FROM sessions WHERE ${ALIVE}`;
    return unescaped(this.#db.one(sql, keyOf(sessionId), this.#edge())?.parent_id ?? null);
  }

  // All sessions

  getActiveSessions() {
    return this.#db.all(`${SESSION} WHERE last_accessed_us > ?`, this.#edge())
      .map((row) => this.#shown(row));
  }

  getAllSessions() {
    return this.#db.all(SESSION).map((row) => this.#shown(row));
  }

  /** How many are stored, those that are over and not cleaned up among them. */
  getSessionCount() {
    return this.#db.one("SELECT count(*) AS number FROM sessions").number;
  }

  /** What this manager counted since it was opened, and how many sessions there are now. */
  getMetrics() {
    const sql = `SELECT count(*) AS total, count(*) FILTER (WHERE last_accessed_us > ?) AS active
      FROM sessions`;
    const { total, active } = this.#db.one(sql, this.#edge());
    return { ...this.#counted, active, total, cleanupError: this.#cleanupError };
  }

  /** Removes all; answers how many there were. */
  clearAll() {
    const removed = this.#db.run("DELETE FROM sessions");
    this.#counted.deleted += removed;
    return removed;
  }

  // The clean-up, and the end

  /** Removes every session that is over; answers how many there were. */
  cleanup() {
    const sql = `DELETE FROM sessions WHERE id IN
      (SELECT id FROM sessions WHERE last_accessed_us <= ? LIMIT ${BATCH})`;
    const edge = this.#edge();
    let removed = 0;
    for (let some = BATCH; some === BATCH; removed += some) {
      try {
        some = this.#db.run(sql, edge);
      } catch (error) {
        if (removed && error instanceof Refusal) return removed; // the next one has the rest
        throw error;
      }
      this.#counted.expired += some;
    }
    this.#counted.cleanups += 1;
    return removed;
  }

  /** Cleans up at this interval, null: ten minutes, from now on; keeps no process alive for it. */
  startCleanup(intervalUs = null) {
    const everyMs = wholeOf(intervalUs ?? 10 * MINUTE_US, "intervalUs", 1) / 1000;
    this.stopCleanup();
    this.#timer = setInterval(() => this.#cleanupUnasked(), Math.min(everyMs, LONGEST_MS)).unref();
  }

  stopCleanup() {
    this.#checkOpen();
    clearInterval(this.#timer);
  }

  /** Ends the clean-up and closes the database; a second call does nothing. */
  shutdown() {
    if (this.#database === null) return;
    this.stopCleanup();
    this.#database.close();
    this.#database = null;
  }

  // Messages, which are objects as docs/protocol.md has them

  /** Adds messages, all or none, by one statement; answers their numbers and ids. */
  append(sessionId, messages) {
    return this.#append(keyOf(sessionId), bodiesOf(messages));
  }

  /** A session with its first messages; answers its id. */
  create(sessionId = null, messages = []) {
    return unescaped(this.#make(sessionId, {}, bodiesOf(messages)).session_id);
  }

  read(sessionId) {
    return this.#read(this.#rows(MESSAGES(), ...this.#alive(sessionId)));
  }

  /** The newest messages, oldest first. */
  readLast(sessionId, n) {
    const most = Math.max(wholeOf(n, "n"), 1);
    const newest = this.#rows(`${MESSAGES()} DESC LIMIT ?`, ...this.#alive(sessionId), most);
    return n > 0 ? this.#read(newest.reverse()) : [];
  }

  /** At most `limit` messages after the cursor, and the cursor of the next page or null. */
  page(sessionId, cursor = null, limit = 50) {
    const after = wholeOf(cursor ?? 0, "cursor");
    const most = wholeOf(limit, "limit", 1);
    const sql = `${MESSAGES("AND m.seq > ?")} LIMIT ?`;
    const found = this.#rows(sql, after, ...this.#alive(sessionId), most + 1);
    const rows = found.slice(0, most);
    return { messages: this.#read(rows), next: found.length > most ? rows.at(-1).seq : null };
  }

  count(sessionId) {
    return this.get(sessionId).message_count;
  }

  /** Removes the newest message and answers it, or null. */
  popLast(sessionId) {
    const sql = `DELETE FROM messages WHERE id = (SELECT m.id FROM messages AS m
      JOIN sessions AS s ON s.id = m.sid WHERE ${ALIVE} ORDER BY m.seq DESC LIMIT 1) RETURNING *`;
    const row = this.#db.one(sql, ...this.#alive(sessionId));
    if (!row) this.get(sessionId);
    return row ? this.#read([row])[0] ?? null : null;
  }

  deleteMessage(sessionId, messageId) {
    const sql = `DELETE FROM messages WHERE seq = ? AND ${OF_SESSION}`;
    const seq = /^[1-9]\d{0,14}$/.test(textOf(messageId, "messageId")) ? Number(messageId) : 0;
    if (!this.#db.run(sql, seq, ...this.#alive(sessionId))) throw unknown("message");
  }

  clear(sessionId) {
    const sql = `DELETE FROM messages WHERE ${OF_SESSION}`;
    if (!this.#db.run(sql, ...this.#alive(sessionId))) this.get(sessionId);
  }

  /** Facts and counters of a session, by the names of docs/protocol.md. No access. */
  get(sessionId) {
    const sql = `SELECT message_count, total_tokens, total_duration_us, created_at_us,
      last_accessed_us AS last_activity_us FROM sessions WHERE ${ALIVE}`;
    const found = this.#db.one(sql, ...this.#alive(sessionId));
    if (!found) throw unknown("session");
    return { session_id: sessionId, ...found };
  }

  list() {
    return this.#db.all("SELECT session_id FROM sessions WHERE last_accessed_us > ?", this.#edge())
      .map((row) => unescaped(row.session_id));
  }

  delete(sessionId) {
    if (!this.deleteSession(sessionId)) throw unknown("session");
  }

  /** The value of a key as it was set last, or null. */
  getState(sessionId, key) {
    const sql = `SELECT t.value FROM sessions AS s
      LEFT JOIN state AS t ON t.sid = s.id AND t.key = ? WHERE ${ALIVE}`;
    const row = this.#db.one(sql, escaped(textOf(key, "key")), ...this.#alive(sessionId));
    if (!row) throw unknown("session");
    return JSON.parse(row.value);
  }

  setState(sessionId, key, value) {
    const sql = `INSERT INTO state (sid, key, value) SELECT id, ?, ? FROM sessions WHERE ${ALIVE}
      ON CONFLICT (sid, key) DO UPDATE SET value = excluded.value`;
    const pair = [escaped(textOf(key, "key")), jsonOf(value, "value")];
    if (!this.#db.run(sql, ...pair, ...this.#alive(sessionId))) throw unknown("session");
  }

  /** What lies behind it, for audits, by the names of docs/protocol.md. */
  tables() {
    return {
      path: this.#db.path, messages: "messages", message_session: "sid", message_seq: "seq",
      sessions: "sessions", session_key: "id", children: { state: "sid" },
      message_tokens: "tokens", message_duration: "duration_us", session_count: "message_count",
      session_tokens: "total_tokens", session_duration: "total_duration_us",
    };
  }

  // Behind them

  #checkOpen() {
    if (!this.#database) throw new Refusal("the session manager is shut down: make a new one");
  }

  get #db() {
    this.#checkOpen();
    return this.#database;
  }

  /** Sessions whose last access is written with this time, or an earlier one, are over. */
  #edge(at = this.#clock()) {
    return at - this.timeoutUs - this.accessStepUs;
  }

  #alive(sessionId) {
    return [keyOf(sessionId), this.#edge()];
  }

  #make(sessionId, facts, bodies) {
    const key = sessionId === null ? randomUUID() : keyOf(sessionId, "sessionId");
    const values = Object.entries(facts).map(([name, value]) => FACTS[name](value));
    const columns = Object.keys(facts).map((name) => COLUMNS[name]);
    const at = this.#clock();
    const [row, over] = this.#db.together(() => {
      const sql = "DELETE FROM sessions WHERE session_id = ? AND last_accessed_us <= ?";
      const gone = this.#db.run(sql, key, this.#edge(at));
      const made = this.#db.one(`INSERT INTO sessions
        (${["session_id", "created_at_us", "last_accessed_us", ...columns].join(", ")})
        VALUES (?, ?, ?${", ?".repeat(columns.length)}) ON CONFLICT DO NOTHING
        RETURNING *`, key, at, at, ...values);
      if (!made) throw new Refusal("there is a session of this id already", "Conflict");
      if (bodies.length) this.#append(key, bodies);
      return [made, gone];
    });
    this.#counted.created += 1;
    this.#counted.expired += over;
    return row;
  }

  #append(key, bodies) {
    const sql = `INSERT INTO messages (sid, seq, body, tokens, duration_us, appended_at_us)
      SELECT s.id, s.next_seq + e.key, e.value ->> 0, e.value ->> 1, e.value ->> 2, ?
      FROM sessions AS s, json_each(?) AS e WHERE ${ALIVE} ORDER BY e.key RETURNING seq`;
    const at = this.#clock();
    const added = this.#db.all(sql, at, JSON.stringify(bodies), key, this.#edge(at));
    if (!added.length) this.get(unescaped(key)); // no messages, or no session
    const seqs = added.map((row) => row.seq).sort((one, other) => one - other);
    return { seqs, ids: seqs.map(String) };
  }

  #rows(sql, ...values) {
    const rows = this.#db.all(sql, ...values);
    if (!rows.length) throw unknown("session"); // one without messages has a row of NULLs
    return rows.filter((row) => row.seq !== null);
  }

  #read(rows) {
    return rows.flatMap((row) => {
      try {
        return [decoded(row)];
      } catch {
        this.#warn(`${this.#db.path}: message ${row.id} is damaged, and left out`);
        return [];
      }
    });
  }

  #shown(row) {
    return {
      sessionId: unescaped(row.session_id), createdAtUs: row.created_at_us,
      lastAccessedUs: row.last_accessed_us, expiresAtUs: row.last_accessed_us + this.timeoutUs,
      firstUserMessage: unescaped(row.first_user_message), chatId: unescaped(row.chat_id),
      parentId: unescaped(row.parent_id), metadata: JSON.parse(row.metadata),
    };
  }

  #cleanupUnasked() {
    try {
      this.cleanup();
      this.#cleanupError = null;
    } catch (error) { // there is nobody to tell; the next one may succeed
      this.#cleanupError = error.message;
    }
  }
}

const unknown = (what) => new Refusal(`no such ${what}, or its session is over`, "NotFound");
