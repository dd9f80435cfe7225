/** Messages that the user should see, with a code and values by which they are told in the user's language. */

/** A caution; as a text it is its English sentence, which is what files get. */
export class Caution {
  /**
   * @param {string} code Stable identifier; those of the server are in textsegment.caution.
   * @param {string} phrase The sentence in English, with values in braces.
   * @param {object} values Values by name: numbers and texts.
   * @param {string} about Name of the structure that it is about; may be empty.
   */
  constructor(code, phrase, values = {}, about = "") {
    Object.assign(this, { code, values, about });
    this.sentence = filled(phrase, values);
  }

  /**
   * Cautions as a server sends them: docs/protocol.md, section 6.
   *
   * @param {{warnings: string[], cautions: object[]|undefined}} given Sentences, and beside them code and values of each.
   * @returns {Caution[]}
   */
  static received({ warnings, cautions = [] }) {
    return warnings.map((sentence, n) => {
      const { code = "said", about = "", values = { sentence } } = cautions[n] ?? {};
      return Object.assign(new Caution(code, "", values, about), { sentence });
    });
  }

  toString() {
    return this.sentence;
  }
}

/**
 * A phrase with its values.
 *
 * @param {string} phrase Text with names of values in braces; behind a colon may stand how many digits are shown.
 * @param {object} values Values by name.
 * @param {(value: any, digits: number) => string} word How a value is written.
 */
export function filled(phrase, values, word = String) {
  return phrase.replace(/\{(\w+)(?::(\d+))?\}/g, (_, name, digits) => word(values[name], Number(digits ?? 6)));
}
