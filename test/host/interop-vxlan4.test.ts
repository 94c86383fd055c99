// A plain kernel vxlan device as a peer, over an IPv4 underlay.

import { kernelPeerScenarios } from './support/kernel-peer.js';

kernelPeerScenarios(false);
