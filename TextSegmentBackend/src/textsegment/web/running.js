/** A job of the server while it runs: how far it is, and the button that cancels it. */

import { say } from "./language.js";

/** What shows a job, and which other buttons wait for its end. */
export class Running {
  #job = null;

  /**
   * @param {object} elements `progress` with its `bar` and `stage`, the buttons `cancel` and `start`, of which one is
   *     there, and the buttons in `waiting`, which cannot be used meanwhile.
   */
  constructor(elements) {
    Object.assign(this, elements);
    this.cancel.addEventListener("click", () => this.abort());
  }

  /** Whether there is a job. */
  get isBusy() {
    return this.#job !== null;
  }

  /** Cancel the job, if there is one. */
  abort() {
    this.#job?.abort();
  }

  /**
   * Run a job, with its progress shown, until it ends or is cancelled.
   *
   * @param {(on: object, signal: AbortSignal) => Promise<any>} job Gets the functions of `readAnswer`.
   * @param {(mask: Mask) => void} onMask Called with each mask.
   */
  async run(job, onMask) {
    this.#job = new AbortController();
    this.#show(true);
    try {
      return await job({
        queued: (count) => this.#tell(0, count === 1 ? say("1 job before this one") : say("{count} jobs before this one", { count })),
        estimated: (patches, seconds) => {
          if (seconds !== null) this.#tell(0, `${say("about")} ${Math.max(1, Math.round(seconds))} s`);
        },
        progress: (fraction, stage) => this.#tell(fraction, say(stage)),
        mask: onMask,
      }, this.#job.signal);
    } finally {
      this.#job = null;
      this.#show(false);
    }
  }

  #show(is) {
    this.progress.hidden = !is;
    this.cancel.hidden = !is;
    this.start.hidden = is;
    for (const button of this.waiting) button.disabled = is;
  }

  #tell(fraction, stage) {
    this.bar.value = fraction;
    this.stage.textContent = stage;
  }
}
