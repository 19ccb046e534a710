import { mkdtempSync, readlinkSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const NAMES = ["chromium", "chromium-browser", "google-chrome"];

/** What a run on a build machine needs: no sandbox (it may be root), and nothing that the browser does for itself. */
const ARGUMENTS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  "--disable-breakpad",
  "--no-first-run",
];

function findBrowser(): string | undefined {
  return NAMES.map((name) => Bun.which(name)).find((path) => path !== null) ?? undefined;
}

/** Tests in a browser are skipped where there is none, unless `PUBSUB_REQUIRE_BROWSER=1` says that there must be. */
export const skipBrowser = findBrowser() === undefined && process.env["PUBSUB_REQUIRE_BROWSER"] !== "1";

/** A headless Chromium with a profile of its own, started for its first page. Bun drives one at a time: close it before the next. */
export class Browser {
  #profile: string | undefined;

  /** A page of its own, at `url`. */
  async open(url: string): Promise<Bun.WebView> {
    const path = findBrowser();
    if (path === undefined) throw new Error(`There is no browser: none of ${NAMES.join(", ")} is on the PATH`);
    this.#profile ??= mkdtempSync(join(tmpdir(), "pubsub-browser-"));
    const page = new Bun.WebView({
      backend: { type: "chrome", path, argv: ARGUMENTS },
      dataStore: { directory: this.#profile },
    });
    await page.navigate(url);
    return page;
  }

  /** Asks the browser to quit, so that it takes its processes and files along, and kills it where it does not. */
  async close(): Promise<void> {
    if (this.#profile === undefined) return;
    const pid = browserOf(this.#profile);
    if (isAlive(pid)) {
      const page = await this.open("about:blank");
      await page.cdp("Browser.close");
    }
    for (let i = 0; i < 2000 && isAlive(pid); i++) await Bun.sleep(10);
    Bun.WebView.closeAll();
    while (isAlive(pid)) await Bun.sleep(10);
    rmSync(this.#profile, { recursive: true, force: true, maxRetries: 10 });
    this.#profile = undefined;
  }
}

/** Chromium keeps a link to `HOST-PID` in its profile for as long as it runs. */
function browserOf(profile: string): number | undefined {
  try {
    return Number(readlinkSync(join(profile, "SingletonLock")).split("-").at(-1));
  } catch {
    return undefined;
  }
}

function isAlive(pid: number | undefined): boolean {
  try {
    return pid !== undefined && process.kill(pid, 0);
  } catch {
    return false;
  }
}
