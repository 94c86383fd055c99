// A plain kernel vxlan device as a peer, over an IPv6 underlay.

import { kernelPeerScenarios } from './support/kernel-peer.js';

kernelPeerScenarios(true);
