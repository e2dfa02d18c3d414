/** What pages send each other by way of the service is an MLSMessage each (RFC 9420 section 6). */
import { decodeMlsMessage, type MLSMessage } from 'ts-mls';
import { GroupError } from './group-error';

type Format = MLSMessage['wireformat'];

/** Throws GroupError where it is not just one such message. */
export function decodeMessage<F extends Format>(
  bytes: Uint8Array,
  format: F,
): Extract<MLSMessage, { wireformat: F }> {
  const [message, length] = decodeMlsMessage(bytes, 0) ?? [];
  if (message === undefined || length !== bytes.length)
    throw new GroupError('bad', 'not an MLSMessage');
  if (!isA(message, format)) throw new GroupError('bad', `not of the format ${format}`);
  return message;
}

const isA = <F extends Format>(
  message: MLSMessage,
  format: F,
): message is Extract<MLSMessage, { wireformat: F }> => message.wireformat === format;
