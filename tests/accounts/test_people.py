"""People and membership: created, changed, disabled, and what they leave behind."""

from __future__ import annotations

import pytest
from sqlalchemy import delete, insert, select, update

from reviewqueue.accounts import memberships, people
from reviewqueue.core.access import Actor
from reviewqueue.core.db import clock, read_session, write_session
from reviewqueue.core.ids import new_id
from reviewqueue.errors import Conflict, Forbidden, Invalid, NotFound
from reviewqueue.models import AuditContent, Draft, Item, Membership, Person, Queue, Task
from reviewqueue.models.states import (
    ActorKind,
    Audience,
    ItemState,
    QueueRole,
    Risk,
    RoutingAction,
    SiteRole,
    TaskKind,
    TaskState,
    Via,
)


def everybody_gone(house):
    with write_session() as session:
        session.execute(delete(Membership))
        session.execute(delete(Person))


def test_the_first_run_creates_the_administrator_once(house):
    everybody_gone(house)
    password = house.write(people.ensure_admin, email="boss@example.org")
    assert house.browser().sign_in("boss@example.org", password).status_code == 303
    assert house.write(people.ensure_admin, email="boss@example.org") is None
    assert house.write(people.ensure_admin, email="other@example.org", password="correct horse battery") is None
    with read_session() as session:
        assert [person.email for person in people.search(session=session, actor=_operator())] == ["boss@example.org"]


def test_the_first_administrators_password_may_be_given_and_is_not_printed(house):
    everybody_gone(house)
    assert house.write(people.ensure_admin, email="boss@example.org", password="correct horse battery") is None
    browser = house.browser()
    browser.sign_in("boss@example.org")
    assert browser.get("/admin/people").status_code == 200


def _operator() -> Actor:
    return Actor(kind=ActorKind.OPERATOR, id="tests", name="tests", via=Via.CLI)


@pytest.mark.parametrize("email", ["alice@example.org", "ALICE@example.org"])
def test_an_e_mail_belongs_to_one_person(house, email):
    with pytest.raises(Conflict) as refused:
        house.write(people.create, email=email)
    assert refused.value.code == "email_taken"


@pytest.mark.parametrize(
    ("wrong", "pointer"),
    [
        ({"email": "nobody"}, "/email"), ({"email": "a\x00@example.org"}, "/email"), ({"email": ""}, "/email"),
        ({"name": "\x07"}, "/name"), ({"name": "x" * 201}, "/name"), ({"password": "short"}, "/password"),
    ],
)  # fmt: skip
def test_a_person_that_makes_no_sense_is_refused_with_a_pointer(house, wrong, pointer):
    with pytest.raises(Invalid) as refused:
        house.write(people.create, **{"email": "new@example.org", **wrong})
    assert refused.value.faults[0].pointer == pointer


def test_names_and_addresses_are_in_the_erasable_part_of_the_event(house):
    (event,) = [event for event in house.events("person.created") if event.subject == house.alice]
    assert "alice" not in event.facts
    with read_session() as session:
        assert "alice@example.org" in session.get(AuditContent, event.id).payload


@pytest.mark.parametrize("act", [people.change_role, people.disable])
def test_the_last_administrator_stays(house, act):
    arguments = {"role": SiteRole.MEMBER} if act is people.change_role else {}
    with pytest.raises(Conflict) as refused:
        house.write(act, person_id=house.admin, **arguments)
    assert refused.value.code == "last_admin"
    house.write(people.change_role, person_id=house.alice, role=SiteRole.ADMIN)
    house.write(people.change_role, person_id=house.admin, role=SiteRole.MEMBER)


def test_nobody_disables_themselves(house):
    house.write(people.change_role, person_id=house.alice, role=SiteRole.ADMIN)
    me = Actor(kind=ActorKind.PERSON, id=house.admin, name="Ada", via=Via.WEB, site_role=SiteRole.ADMIN)
    with pytest.raises(Conflict):
        house.write(people.disable, actor=me, person_id=house.admin)


def test_a_member_manages_nobody(house):
    me = Actor(kind=ActorKind.PERSON, id=house.alice, name="Alice", via=Via.WEB, site_role=SiteRole.MEMBER)
    for operation, arguments in (
        (people.create, {"email": "x@example.org"}),
        (people.disable, {"person_id": house.admin}),
        (people.change_role, {"person_id": house.alice, "role": SiteRole.ADMIN}),
        (people.reset_password, {"person_id": house.admin}),
    ):
        with pytest.raises(Forbidden):
            house.write(operation, actor=me, **arguments)


def test_disabling_ends_sessions_and_the_person_cannot_come_back_in(house):
    browser = house.signed_in()
    house.write(people.disable, person_id=house.alice)
    assert not browser.is_signed_in
    assert house.browser().sign_in("alice@example.org").status_code == 422
    house.write(people.enable, person_id=house.alice)
    house.signed_in()


def held_task(person_id):
    with write_session() as session:
        queue_id = session.scalar(select(Queue.id))
        item_id, task_id = new_id(), new_id()
        session.execute(
            insert(Item).values(
                id=item_id,
                queue_id=queue_id,
                config_version=1,
                state=ItemState.QUEUED,
                body_sha256="0" * 64,
                input="{}",
                output="{}",
                risk=Risk.LOW,
                metadata_json="{}",
                rule_title="x",
                action=RoutingAction.REVIEW,
                priority=0,
                audit_sample=False,
                probability=1.0,
                submitted_by="x",
                created_at=clock(),
                due_at=clock(),
            )
        )
        session.execute(
            insert(Task).values(
                id=task_id,
                item_id=item_id,
                queue_id=queue_id,
                config_version=1,
                round=1,
                kind=TaskKind.REVIEW,
                state=TaskState.CLAIMED,
                audience=Audience.REVIEWER,
                priority=0,
                due=clock(),
                available_at=clock(),
                holder=person_id,
                fence=3,
                lease_until=clock(600),
                created_at=clock(),
            )
        )
        session.execute(insert(Draft).values(task_id=task_id, person_id=person_id, body="{}", updated_at=clock()))
    return task_id


def test_disabling_gives_claims_back_and_drafts_to_the_lead(house):
    lead = house.write(people.create, email="lead@example.org")
    gone = house.write(people.create, email="gone@example.org")
    for email in ("gone@example.org", "lead@example.org"):
        house.write(memberships.add, slug="mail", email=email, role=QueueRole.LEAD)
    house.write(people.disable, person_id=gone.id)
    task_id = held_task(house.alice)
    house.write(people.disable, person_id=house.alice)
    with read_session() as session:
        task = session.get(Task, task_id)
        assert (task.state, task.holder, task.lease_until, task.fence) == (TaskState.OPEN, None, None, 3)
        assert task.last_holder == house.alice
        assert session.scalars(select(Draft.person_id)).all() == [lead.id]
    assert [event.subject for event in house.events("task.released")] == [task_id]
    assert [event.subject for event in house.events("draft.handed_over")] == [task_id]


def test_a_draft_without_a_lead_to_take_it_is_kept(house):
    held_task(house.alice)
    house.write(people.disable, person_id=house.alice)
    with read_session() as session:
        assert session.scalars(select(Draft.person_id)).all() == [house.alice]


def test_a_leads_own_draft_is_not_overwritten(house):
    lead = house.write(people.create, email="lead@example.org")
    house.write(memberships.add, slug="mail", email="lead@example.org", role=QueueRole.LEAD)
    task_id = held_task(house.alice)
    with write_session() as session:
        session.execute(insert(Draft).values(task_id=task_id, person_id=lead.id, body='{"a":1}', updated_at=clock()))
    house.write(people.disable, person_id=house.alice)
    with read_session() as session:
        assert session.get(Draft, (task_id, lead.id)).body == '{"a":1}'
        assert session.get(Draft, (task_id, house.alice)) is not None


def test_a_role_in_a_queue_is_given_once_and_taken_away(house):
    with pytest.raises(Conflict) as refused:
        house.write(memberships.add, slug="mail", email="alice@example.org", role=QueueRole.REVIEWER)
    assert refused.value.code == "already_member"
    membership_id = house.write(memberships.add, slug="mail", email="alice@example.org", role=QueueRole.LEAD)
    house.write(memberships.remove, slug="mail", membership_id=membership_id)
    with pytest.raises(NotFound):
        house.write(memberships.remove, slug="mail", membership_id=membership_id)
    assert [event.subject for event in house.events("membership.removed")] == [house.alice]


def test_a_disabled_person_is_not_made_a_member(house):
    house.write(people.disable, person_id=house.alice)
    with pytest.raises(Conflict):
        house.write(memberships.add, slug="mail", email="alice@example.org", role=QueueRole.LEAD)


# -- pages ------------------------------------------------------------------------------------------------------------


def test_the_page_adds_a_person_and_shows_the_one_time_password_once(house):
    admin = house.signed_in("admin")
    answer = admin.post("/admin/people", email="new@example.org", name="New", role="member")
    assert answer.status_code == 201
    password = answer.text.split("<output", 1)[1].split(">", 1)[1].split("<")[0]
    assert password not in admin.get("/admin/people").text
    assert house.browser().sign_in("new@example.org", password).status_code == 303


def test_a_taken_e_mail_is_said_beside_the_field_and_the_text_is_kept(house):
    answer = house.signed_in("admin").post(
        "/admin/people", email="alice@example.org", name="Second Alice", role="member"
    )
    assert answer.status_code == 422
    assert "Somebody has the e-mail" in answer.text.split('id="email-errors"')[1].split("</ul>")[0]
    assert 'value="Second Alice"' in answer.text


def test_people_are_found_by_name_and_e_mail_page_by_page(house):
    for number in range(people.PAGE + 5):
        house_person(number)
    admin = house.signed_in("admin")
    assert "Ada Admin" in admin.get("/admin/people?q=ada").text
    assert "Alice" not in admin.get("/admin/people?q=%25").text
    assert "Nobody found" in admin.get("/admin/people?q=zzz").text
    first = admin.get("/admin/people").text
    address = first.split('rel="next"')[0] if 'rel="next"' in first else first
    cursor = address.split("cursor=")[1].split('"')[0]
    second = admin.get(f"/admin/people?cursor={cursor}").text
    names = [f"Person {number:03d}" for number in range(people.PAGE + 5)]
    assert all((name in first) != (name in second) for name in names)


def house_person(number):
    with write_session() as session:
        session.execute(
            insert(Person).values(
                id=new_id(),
                email=f"p{number}@example.org",
                name=f"Person {number:03d}",
                password_hash="x",
                role=SiteRole.MEMBER,
                pseudonym=f"p{number}",
                must_change_password=False,
                created_at=clock(),
            )
        )


@pytest.mark.parametrize(
    "path", ["/admin/people?cursor=x", "/admin/people?q=%00", "/admin/people/%00", "/admin/people/1"]
)
def test_odd_addresses_are_refused_and_break_nothing(house, path):
    assert house.signed_in("admin").get(path).status_code in {200, 404, 422}


def test_the_page_changes_role_resets_and_disables(house):
    admin = house.signed_in("admin")
    page = f"/admin/people/{house.alice}"
    assert admin.post(f"{page}/role", role="auditor").status_code == 303
    assert "auditor" in admin.get(page).text
    answer = admin.post(f"{page}/password-reset")
    password = answer.text.split("<output", 1)[1].split(">", 1)[1].split("<")[0]
    assert house.browser().sign_in("alice@example.org", password).status_code == 303
    assert admin.post(f"{page}/disabling").status_code == 303
    assert "disabled" in admin.get(page).text
    assert admin.post(f"{page}/enabling").status_code == 303
    assert admin.post(f"/admin/people/{house.admin}/role", role="member").status_code == 409
    assert admin.post(f"{page}/role", role="emperor").status_code == 422


def test_the_page_adds_and_removes_members(house):
    admin = house.signed_in("admin")
    assert admin.post("/admin/queues/mail/members", email="admin@example.org", role="lead").status_code == 303
    page = admin.get("/admin/queues/mail/members").text
    assert "Ada Admin" in page
    with read_session() as session:
        membership_id = session.scalar(select(Membership.id).where(Membership.person_id == house.admin))
    assert admin.post(f"/admin/queues/mail/members/{membership_id}/removal").status_code == 303
    answer = admin.post("/admin/queues/mail/members", email="nobody@example.org", role="lead")
    assert answer.status_code == 422
    assert "Nobody has the e-mail" in answer.text
    assert 'value="nobody@example.org"' in answer.text


def test_a_name_is_shown_as_text(house):
    with write_session() as session:
        session.execute(update(Person).where(Person.id == house.alice).values(name="<script>alert(1)</script>"))
    page = house.signed_in("admin").get("/admin/people").text
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert" in page
