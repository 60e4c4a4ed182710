// A real Dagy server on a free port with a data directory of its own,
// and what must be true at its end.
import { execFileSync, spawn } from "node:child_process";
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

const repository = fileURLToPath(new URL("../..", import.meta.url));
const binary = process.env.DAGY_BINARY ?? join(repository, "build", "dagy");
const ready = /^Dagy \S+ is ready at https?:\/\/localhost:(\d+)$/;
const startMs = 30_000;
const stopMs = 60_000;

export const owner = "owner@localhost";
export const password = "correct horse battery";

// Opens every database of the directory given and prints what SQLite finds wrong.
const integrity = `
import pathlib, sqlite3, sys
for path in pathlib.Path(sys.argv[1]).rglob("*.db"):
    for row in sqlite3.connect(path).execute("PRAGMA integrity_check"):
        print(path.name, row[0])
`;

export class Server {
  constructor() {
    this.directory = mkdtempSync(join(tmpdir(), "dagy-fuzz-"));
    chmodSync(this.directory, 0o777); // tasks have a user of their own
    this.dataDir = join(this.directory, "data");
    this.logPath = join(this.directory, "server.log");
    // Only what a server needs: nothing of the caller's own DAGY_ variables but the database.
    this.environment = {
      PATH: process.env.PATH,
      HOME: this.directory,
      DAGY_DATA_DIR: this.dataDir,
      DAGY_PORT: "0",
      DAGY_OWNER_PASSWORD: password,
      DAGY_RATE_LIMIT_PER_MINUTE: "0",
      DAGY_ALLOW_UNISOLATED: "1",
    };
    if (process.env.DAGY_DATABASE_URL) {
      this.environment.DAGY_DATABASE_URL = process.env.DAGY_DATABASE_URL;
    }
  }

  // The server is down meanwhile; it must have been started once, which makes the organization.
  addUser(email, role) {
    const words = ["admin", "--data-dir", this.dataDir, "user", "add", email];
    execFileSync(binary, [...words, "--org", "default", "--role", role], {
      input: `${password}\n`,
      env: this.environment,
    });
  }

  async start() {
    const log = openSync(this.logPath, "a");
    this.process = spawn(binary, ["serve"], {
      env: this.environment,
      stdio: ["ignore", "pipe", log],
    });
    process.once("exit", () => this.isAlive && this.process.kill("SIGKILL"));
    this.ended = new Promise((resolve) => this.process.once("exit", resolve));
    const watchdog = setTimeout(() => this.process.kill("SIGKILL"), startMs);
    for await (const line of createInterface({ input: this.process.stdout })) {
      const found = ready.exec(line);
      if (!found) continue;
      clearTimeout(watchdog);
      this.process.stdout.resume();
      this.port = Number(found[1]);
      return;
    }
    throw new Error(`the server did not start:\n${this.log()}`);
  }

  get isAlive() {
    return this.process.exitCode === null && this.process.signalCode === null;
  }

  // The exit code; null after a signal.
  async stop() {
    this.process.kill("SIGTERM");
    const watchdog = setTimeout(() => this.process.kill("SIGKILL"), stopMs);
    const code = await this.ended;
    clearTimeout(watchdog);
    return code;
  }

  log() {
    return readFileSync(this.logPath, "utf8");
  }

  // Lines of the log that no request may cause.
  logFaults() {
    return this.log()
      .split("\n")
      .filter((line) => /"level":"(error|fatal)"|\blevel=error\b|internal error/i.test(line));
  }

  // What is wrong with the store, read from a copy of the stopped server's.
  storeFaults() {
    if (!existsSync(this.dataDir) || this.environment.DAGY_DATABASE_URL) return [];
    const copy = join(this.directory, "copy");
    cpSync(this.dataDir, copy, { recursive: true, filter: (path) => !path.endsWith(".sock") });
    const lines = execFileSync("/usr/bin/python3", ["-c", integrity, copy], { encoding: "utf8" })
      .trim()
      .split("\n");
    if (lines[0] === "") return ["no database was found"];
    return lines.filter((line) => !line.endsWith(" ok"));
  }

  remove() {
    rmSync(this.directory, { recursive: true, force: true });
  }
}
