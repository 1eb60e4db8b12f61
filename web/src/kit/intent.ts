/** One intent of a person = one order id, however often the button is pressed or the network is asked again. */

export class Intent {
  private id = "";
  private body = "";

  constructor(private readonly make: () => string) {}

  /** The same id for the same body until the outcome is known; other content is another intent. */
  idFor(body: unknown): string {
    const text = JSON.stringify(body);
    if (!this.id || text !== this.body) {
      this.id = this.make();
      this.body = text;
    }
    return this.id;
  }

  /** The server answered for certain (done or refused): the next press is a new intent. */
  settled(): void {
    this.id = "";
  }
}
