import { BlockList, isIP } from 'node:net';

/** Addresses at which clouds answer with credentials, and link-local networks around them. */
const FORBIDDEN = new BlockList();
FORBIDDEN.addSubnet('169.254.0.0', 16, 'ipv4');
// Alibaba Cloud, Azure and Oracle Cloud, in that order.
FORBIDDEN.addAddress('100.100.100.200', 'ipv4');
FORBIDDEN.addAddress('168.63.129.16', 'ipv4');
FORBIDDEN.addAddress('192.0.0.192', 'ipv4');
FORBIDDEN.addSubnet('0.0.0.0', 8, 'ipv4');
FORBIDDEN.addSubnet('fe80::', 10, 'ipv6');
// AWS: instance metadata, time, DNS and pod identity.
FORBIDDEN.addSubnet('fd00:ec2::', 32, 'ipv6');
FORBIDDEN.addAddress('::', 'ipv6');
// 169.254.0.0/16 in the notations of NAT64 and 6to4.
FORBIDDEN.addSubnet('64:ff9b::a9fe:0', 112, 'ipv6');
FORBIDDEN.addSubnet('2002:a9fe::', 32, 'ipv6');

const LOOPBACK = new BlockList();
LOOPBACK.addSubnet('127.0.0.0', 8, 'ipv4');
LOOPBACK.addAddress('::1', 'ipv6');

export function isForbiddenAddress(address: string): boolean {
  return FORBIDDEN.check(address, familyOf(address));
}

export function isLoopbackAddress(address: string): boolean {
  return LOOPBACK.check(address, familyOf(address));
}

/** Whether RFC 6761 keeps a name for this machine, whatever a resolver says of the name. */
export function isLoopbackName(host: string): boolean {
  return /^(.+\.)?localhost$/.test(host);
}

function familyOf(address: string): 'ipv4' | 'ipv6' {
  return isIP(address) === 6 ? 'ipv6' : 'ipv4';
}
