/** What a view is given: where it stands, and how to go elsewhere. */
import type { Address, Change } from "./address.ts";
import type { ViewName } from "./views.ts";

/** Properties of a view's component. */
export interface ViewProps<View extends ViewName> {
  /** What the page's address says: all state that a link shall carry. */
  readonly address: Address<View>;
  /**
   * Change the address, from which the view follows. What moves with a pointer or with time replaces
   * the entry in the browser's history instead of adding one.
   *
   * @throws {InputError} when the run would not be one; the address stays.
   */
  readonly go: (change: Change<View>, how?: { readonly replace?: boolean }) => void;
}
