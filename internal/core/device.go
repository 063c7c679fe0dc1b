package core

import (
	"cmp"
	"context"
	"encoding/json"
	"slices"
	"strings"
	"unicode"

	"github.com/anser-im/anser/internal/im"
	"github.com/anser-im/anser/internal/store"
)

// deviceRecord is what is kept of a device, under its id.
type deviceRecord struct {
	Class im.Class `json:"class"`
	Seen  int64    `json:"seen"` // Unix milliseconds
	OS    string   `json:"os,omitempty"`
	SDK   string   `json:"sdk,omitempty"`
}

// maxReason is the most bytes of a kick's reason.
const maxReason = 200

// noteDevice notes that a device was seen at d.LastSeen. It waits for no disk: the
// row rides with the next commit, and what a crash loses the next login mends. Beyond
// Limits.Devices those not seen longest are forgotten.
//
// Errors: those of reading the list; Busy and the like if nothing can be noted now,
// which no login has to fail for.
func (c *Core) noteDevice(u im.UserID, d DeviceInfo) error {
	b, err := json.Marshal(deviceRecord{Class: d.Class, Seen: d.LastSeen, OS: d.OS, SDK: d.SDK})
	if err != nil {
		return im.AsError(err)
	}
	records := []store.Record{{Kind: store.DeviceRecord, User: u, Key: string(d.ID), Value: b}}
	_, here, err := c.st.Get(store.DeviceRecord, u, string(d.ID))
	if err != nil {
		return err
	}
	if !here {
		records = append(records, store.Record{Kind: store.SettingRecord, User: u, Key: knownKey, Value: []byte{1}})
	}
	if most := c.cfg.Limits.Devices; !here && most > 0 { // one more
		list, err := c.devices(u)
		if err != nil {
			return err
		}
		slices.SortFunc(list, func(a, b DeviceInfo) int { return cmp.Compare(b.LastSeen, a.LastSeen) })
		for i := most - 1; i < len(list) && len(records) < maxUsersOp; i++ {
			records = append(records, store.Record{Kind: store.DeviceRecord, User: u, Key: string(list[i].ID)})
		}
	}
	c.seen.put(u, struct{}{})
	return c.st.Submit(&store.PutOp{Records: records, Lazy: true})
}

// devices lists the devices that are remembered of u, by id.
func (c *Core) devices(u im.UserID) ([]DeviceInfo, error) {
	const chunk = 200
	var list []DeviceInfo
	for after := ""; ; {
		records, err := c.st.List(store.DeviceRecord, u, after, chunk)
		if err != nil {
			return nil, err
		}
		for _, r := range records {
			after = r.Key
			var d deviceRecord
			if err := json.Unmarshal(r.Value, &d); err != nil {
				return nil, im.Wrap(im.Internal, err, "the record of a device cannot be read")
			}
			list = append(list, DeviceInfo{ID: im.DeviceID(r.Key), Class: d.Class, LastSeen: d.Seen, OS: d.OS, SDK: d.SDK})
		}
		if len(records) < chunk {
			return list, nil
		}
	}
}

// Devices lists the user's devices, those online first, then by when they were last
// seen.
//
// Errors: those of the store.
func (s *Session) Devices(ctx context.Context) ([]DeviceInfo, error) {
	if err := s.here(); err != nil {
		return nil, err
	}
	return s.c.DevicesOf(ctx, s.user)
}

// DevicesOf is Session.Devices for an admin.
func (c *Core) DevicesOf(ctx context.Context, u im.UserID) ([]DeviceInfo, error) {
	list, err := c.devices(u)
	if err != nil {
		return nil, err
	}
	for _, box := range c.hub.Sessions(u) {
		if !box.Live() {
			continue
		}
		i := slices.IndexFunc(list, func(d DeviceInfo) bool { return d.ID == box.Device })
		if i < 0 { // its row is still on its way to the disk
			list = append(list, DeviceInfo{ID: box.Device, Class: box.Class})
			i = len(list) - 1
		}
		list[i].Online, list[i].LastSeen = true, c.Now().UnixMilli()
	}
	slices.SortStableFunc(list, func(a, b DeviceInfo) int { return cmp.Compare(b.LastSeen, a.LastSeen) })
	return list, nil
}

// Kick ends the session of one of the user's own devices, this one too; reason is for
// its screen, at most 200 bytes. With revoke the tokens it used up to now are good for
// nothing any more, and the device is forgotten.
//
// Errors: Invalid or TooLarge for a bad id or reason; NotFound if the user has no such
// device; those of the store.
func (s *Session) Kick(ctx context.Context, device im.DeviceID, reason string, revoke bool) error {
	if err := s.here(); err != nil {
		return err
	}
	if err := im.CheckName("device id", string(device)); err != nil {
		return err
	}
	if len(reason) > maxReason {
		return im.Errorf(im.TooLarge, "the reason is %d bytes long; at most %d are allowed", len(reason), maxReason)
	}
	_, remembered, err := s.c.st.Get(store.DeviceRecord, s.user, string(device))
	if err != nil {
		return err
	}
	ended, err := s.c.KickUser(ctx, s.user, device, reason, revoke)
	if err == nil && ended == 0 && !remembered {
		return im.Errorf(im.NotFound, "you have no device called %s", device)
	}
	return err
}

// Kick ends the sessions of a user, or of one of his devices ("" = all), and says how
// many there were. Their tokens stay good: see KickUser.
func (c *Core) Kick(u im.UserID, device im.DeviceID, reason string) int {
	text := oneLine(reason)
	if text == "" {
		text = "this device was signed out"
	}
	return c.endUser(u, device, End{Code: im.CodeKicked, Text: text})
}

// KickUser ends the sessions of a user, or of one of his devices, and says how many
// there were. With revoke their tokens are revoked too. It is what admins use.
//
// Errors: Unsupported if revoke is asked for and this server revokes nothing; those of
// the store.
func (c *Core) KickUser(ctx context.Context, u im.UserID, device im.DeviceID, reason string, revoke bool) (int, error) {
	if revoke && c.rev == nil {
		return 0, im.Errorf(im.Unsupported, "this server revokes no tokens")
	}
	ended := c.Kick(u, device, reason) // first, so that they hear the reason
	if !revoke {
		return ended, nil
	}
	if device == "" {
		_, err := c.rev.RevokeUser(ctx, u)
		return ended, err
	}
	if _, err := c.rev.RevokeDevice(ctx, u, device); err != nil {
		return ended, err
	}
	return ended, c.do(ctx, &store.PutOp{Records: []store.Record{{Kind: store.DeviceRecord, User: u, Key: string(device)}}})
}

// oneLine makes s one line that may be shown.
func oneLine(s string) string {
	s = strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\r' || r == '\t' || r == 0x2028 || r == 0x2029:
			return ' '
		case unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r):
			return -1
		}
		return r
	}, strings.ToValidUTF8(s, "�"))
	return strings.TrimSpace(s)
}
