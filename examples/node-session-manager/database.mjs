// One SQLite file, opened with care: made whole or not at all, recognised before it is used, and
// its errors told apart by whether something may have been stored.
import { randomUUID } from "node:crypto";
import fs from "node:fs";
import path from "node:path";
import { APPLICATION_ID, SCHEMA, VERSION } from "./schema.mjs";

const sqlite = process.getBuiltinModule?.("node:sqlite");
if (!sqlite) throw new Error(`Node.js ${process.version} has no node:sqlite: use 22.13 or later`);

const WAIT_MS = 5000; // for a lock that another process holds
const PRIVATE = 0o600;

// SQLite's codes for errors that come before a commit is written: the statement was undone.
const BUSY = [5, 6];
const TOO_BIG = 18;
const UNDONE = [1, 3, 8, 11, 13, 14, 17, 19, 20, 26, ...BUSY];

/** A definite no: nothing was stored. `type` is its name in docs/protocol.md. */
export class Refusal extends Error {
  constructor(message, type = "Refused") {
    super(message);
    this.type = type;
  }
}

/** The database in a directory; it is made when there is none. */
export class Database {
  #db;
  #prepared = new Map();

  constructor(directory) {
    this.path = path.join(directory, "sessions.db");
    try {
      createWhenAbsent(this.path);
      this.#db = new sqlite.DatabaseSync(this.path);
    } catch (error) {
      if (error instanceof Refusal) throw error;
      throw new Refusal(`${this.path} cannot be opened: ${error.message}`);
    }
    try {
      this.#recognise();
      this.#configure();
    } catch (error) {
      this.#db.close();
      throw error;
    }
  }

  /** All rows of a statement. It runs to its end, so what it wrote is committed, or it throws. */
  all(sql, ...values) {
    return this.#told(() => this.#statement(sql).all(...values));
  }

  /** The first row, or undefined. */
  one(sql, ...values) {
    return this.all(sql, ...values)[0];
  }

  /** How many rows a statement changed. */
  run(sql, ...values) {
    return this.#told(() => Number(this.#statement(sql).run(...values).changes));
  }

  /** What `work` answers, in one transaction: all of its writes, or none. */
  together(work) {
    return this.#told(() => {
      this.#db.exec("BEGIN IMMEDIATE"); // begun by a read, it could fail at its first write
      try {
        const answer = work();
        this.#db.exec("COMMIT");
        return answer;
      } catch (error) {
        try {
          this.#db.exec("ROLLBACK");
        } catch { /* SQLite did it already; the first error says more */ }
        throw error;
      }
    });
  }

  close() {
    this.#prepared.clear();
    this.#db.close();
  }

  #statement(sql) {
    if (!this.#prepared.has(sql)) this.#prepared.set(sql, this.#db.prepare(sql));
    return this.#prepared.get(sql);
  }

  #told(work) {
    try {
      return work();
    } catch (error) {
      const code = error.errcode & 0xff;
      if (error.code !== "ERR_SQLITE_ERROR") throw error;
      if (code === TOO_BIG) throw new Refusal(`${error.message}: nothing was stored`, "TooLarge");
      if (!UNDONE.includes(code)) throw error; // nobody knows whether it took effect
      const again = BUSY.includes(code) ? "; try again" : "";
      throw new Refusal(`${this.path}: ${error.message}; nothing was stored${again}`);
    }
  }

  #recognise() {
    this.all(`PRAGMA busy_timeout = ${WAIT_MS}`); // first: what follows may meet a lock
    const { application_id } = this.one("PRAGMA application_id");
    const { user_version } = this.one("PRAGMA user_version");
    if (application_id !== APPLICATION_ID) {
      throw new Refusal(`${this.path} is no database of this manager; it was left as it is`);
    }
    if (user_version !== VERSION) {
      throw new Refusal(`${this.path} has version ${user_version}, this code knows ${VERSION}`);
    }
  }

  #configure() {
    const settings = { synchronous: 2, foreign_keys: 1, cell_size_check: 1, temp_store: 2 };
    for (const [name, value] of Object.entries(settings)) {
      this.all(`PRAGMA ${name} = ${value}`);
      if (this.one(`PRAGMA ${name}`)[name] !== value) {
        throw new Refusal(`${this.path}: SQLite did not take ${name} = ${value}`);
      }
    }
    if (this.one("PRAGMA journal_mode = WAL").journal_mode !== "wal") {
      throw new Refusal(`${this.path}: SQLite keeps no write-ahead log here`);
    }
  }
}

// Under another name, then linked into place: nobody ever sees a part of it, so an empty file is
// one that was damaged.
function createWhenAbsent(file) {
  const log = `${file}-wal`;
  const hasLog = fs.existsSync(log); // looked for first: whoever makes a log has the file already
  if (fs.existsSync(file)) {
    if (fs.statSync(file).size > 0) return;
    throw new Refusal(`${file} is empty, which none of ours is: restore it from a backup`);
  }
  if (hasLog) throw new Refusal(`${file} is missing, but its log ${log} is there: put it back`);
  const fresh = `${file}.${randomUUID()}.new`;
  try {
    fs.closeSync(fs.openSync(fresh, "wx", PRIVATE));
    fill(fresh);
    sync(fresh);
    fs.linkSync(fresh, file);
    sync(path.dirname(file));
  } catch (error) {
    if (error.code !== "EEXIST") throw error; // another process was faster, and its file is whole
  } finally {
    fs.rmSync(fresh, { force: true });
  }
}

function fill(file) {
  const db = new sqlite.DatabaseSync(file);
  try {
    db.exec("PRAGMA synchronous = OFF; PRAGMA journal_mode = MEMORY"); // it is synced as a whole
    db.exec(`BEGIN; ${SCHEMA} PRAGMA application_id = ${APPLICATION_ID};
             PRAGMA user_version = ${VERSION}; COMMIT`);
    db.exec("PRAGMA journal_mode = WAL");
  } finally {
    db.close();
  }
}

function sync(file) {
  const fd = fs.openSync(file, "r");
  try {
    fs.fsyncSync(fd);
  } finally {
    fs.closeSync(fd);
  }
}
