/** Who is signed in, as the server tells. */

export interface Factors {
  password: boolean;
  totp: boolean;
  passkeys: number;
  recovery_codes: number;
}

export interface Me {
  id: string;
  is_administrator: boolean;
  may_make_groups: boolean;
  time_zone: string | null;
  email_verified: boolean;
  factors: Factors;
  session: { id: string; idle_after_s: number; stepped_up_until: string | null };
}
