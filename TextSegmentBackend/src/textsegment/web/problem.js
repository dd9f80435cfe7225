/** Errors that the user can do something about. */

/** A failure with a stable code, a sentence, and what to do. */
export class Problem extends Error {
  /**
   * @param {string} code Stable identifier; those of the server are in docs/protocol.md.
   * @param {string} message What is wrong, as a sentence.
   * @param {string} hint What to do, as a sentence; may be empty.
   * @param {number} retryAfterS Seconds after which to try again; 0 if trying again is of no use.
   */
  constructor(code, message, hint = "", retryAfterS = 0) {
    super(message);
    this.code = code;
    this.hint = hint;
    this.retryAfterS = retryAfterS;
  }
}
