/** What a page may ask of the session's moderation and at its door; each is acknowledged with Ok or refused. */
import type * as wire from './messages';

interface Ask<Payload> {
  payload: Payload;
  ack: wire.Ok;
}

export interface SessionRequests {
  request_floor: Ask<wire.RequestFloor>;
  cancel_request: Ask<wire.CancelRequest>;
  release_floor: Ask<wire.ReleaseFloor>;
  pass_turn: Ask<wire.PassTurn>;
  ask_help: Ask<wire.AskHelp>;
  rate_distress: Ask<wire.RateDistress>;
  grant_floor: Ask<wire.GrantFloor>;
  revoke_floor: Ask<wire.RevokeFloor>;
  reorder_queue: Ask<wire.ReorderQueue>;
  set_queue_order: Ask<wire.SetQueueOrder>;
  extend_turn: Ask<wire.ExtendTurn>;
  next_round: Ask<wire.NextRound>;
  invite: Ask<wire.Invite>;
  set_format: Ask<wire.SetFormat>;
  set_phase: Ask<wire.SetPhase>;
  pause: Ask<wire.Pause>;
  resume: Ask<wire.Resume>;
  mute_person: Ask<wire.MutePerson>;
  unmute_person: Ask<wire.UnmutePerson>;
  mute_all: Ask<wire.MuteAll>;
  unmute_all: Ask<wire.UnmuteAll>;
  forgive: Ask<wire.Forgive>;
  set_ladder: Ask<wire.SetLadder>;
  acknowledge_alert: Ask<wire.AcknowledgeAlert>;
  admit: Ask<wire.Admit>;
  turn_away: Ask<wire.TurnAway>;
  remove_person: Ask<wire.RemovePerson>;
  show_text: Ask<wire.ShowText>;
}
export type SessionRequestName = keyof SessionRequests;
