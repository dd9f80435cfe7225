/** Errors that the user can do something about. */

import { filled } from "./caution.js";

/** A failure with a stable code, a sentence, and what to do. */
export class Problem extends Error {
  /**
   * @param {string} code Stable identifier; those of the server are in docs/protocol.md.
   * @param {string} message What is wrong, as a sentence, with values in braces.
   * @param {string} hint What to do, as a sentence; may be empty.
   * @param {object} more `values` of the sentence; of a server also `retryAfterS`, seconds after which to try again, or
   *     0 if that is of no use, and `caution`, what is wrong with a code and values of its own.
   */
  constructor(code, message, hint = "", { values = {}, retryAfterS = 0, caution = null } = {}) {
    super(filled(message, values));
    Object.assign(this, { code, template: message, hint, values, retryAfterS, caution });
  }
}
