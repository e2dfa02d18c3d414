/** Why something could not be done in the MLS group. */
export type GroupErrorCode =
  /** There is no group that this page is in, or no commit of its own to accept. */
  | 'no_group'
  /** Of another group, or of an epoch that is over, or too long over. */
  | 'stale'
  /** Of an epoch that has not come yet. */
  | 'ahead'
  /** Not well-formed, not genuine, not for us, or not allowed here. */
  | 'bad';

export class GroupError extends Error {
  constructor(
    readonly code: GroupErrorCode,
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
    this.name = 'GroupError';
  }
}
