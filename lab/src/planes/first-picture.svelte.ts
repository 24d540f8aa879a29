/** The first picture: nothing else may load before it is on the screen. */
export class FirstPicture {
  /** Whether it is there. */
  isShown = $state(false);

  /** Told after every drawing. */
  drawn(): void {
    if (this.isShown) return;
    requestAnimationFrame(() => {
      performance.mark("first picture");
      setTimeout(() => (this.isShown = true));
    });
  }
}
