/** Announcements for screen readers, at a human pace: at most one in two seconds, the newest of them. */

/** Milliseconds from one announcement to the next. */
const pace = 2000;

class Announcer {
  /** What the page's live region says. */
  said = $state("");
  #next: string | undefined;
  #last = -Infinity;
  #timer: ReturnType<typeof setTimeout> | undefined;

  /** Say a sentence, now or as soon as the last one had its time; a newer one takes its place. */
  say(sentence: string): void {
    this.#next = sentence;
    if (this.#timer !== undefined) return;
    const wait = Math.max(0, this.#last + pace - performance.now());
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#last = performance.now();
      if (this.#next !== undefined) this.said = this.#next;
      this.#next = undefined;
    }, wait);
  }
}

/** The page's announcer; {@link ./Announcements.svelte} shows it to screen readers. */
export const announcer = new Announcer();
