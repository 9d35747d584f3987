//! The list of cases, and the macro that makes tests of them.
//!
//! A test of this crate sees that no case is left out of the list.

/// Makes a test of every case of the suite, at every pace or at those that are named, for the subject that the named
/// function makes. The calling crate needs `tokio` with its `macros` and `rt` features.
///
/// ```ignore
/// fn subject() -> impl muster_store::suite::Subject { MySubject::in_a_new_directory() }
/// muster_store::conformance!(subject);
/// ```
#[macro_export]
macro_rules! conformance {
    ($subject:ident) => {
        $crate::conformance!($subject: straight Straight, settling Settling, reopening Reopening, recovering Recovering, mixed Mixed);
    };
    ($subject:ident: $($test:ident $pace:ident),*) => {
        $crate::conformance!(@all $subject [$($test $pace),*]);
    };
    (@all $subject:ident $paces:tt) => {
        $crate::conformance!(@file $subject $paces journal
            what_is_acknowledged_is_read_at_once
            a_message_sent_again_changes_nothing
            a_message_twice_in_one_batch_is_stored_once
            the_first_of_two_conflicting_messages_stands
            a_conflict_within_one_batch
            a_conflict_is_set_aside_once
            one_message_id_serves_several_messages
            a_message_without_a_message_id_is_known_by_its_content
            workspaces_never_meet
            good_and_bad_messages_share_a_batch
            a_batch_of_refused_messages_alone
            a_corrected_message_takes_the_place_of_the_refused_one
            forgetting_what_is_not_there_is_harmless
            an_empty_batch_is_taken
            of_many_at_once_each_message_is_stored_once
            too_much_at_once_is_refused_and_can_be_sent_again
            after_closing_nothing_is_taken
        );
        $crate::conformance!(@file $subject $paces profiles
            the_documentations_example
            a_record_is_found_by_its_kind_and_id_alone
            whoever_is_named_exists
            the_latest_value_of_a_trait_stands
            equal_timestamps_are_decided_by_the_message
            null_removes_and_is_remembered
            values_and_keys_are_kept_as_sent
            a_wrong_clock_does_not_pin_a_value
            the_latest_statement_about_a_link_stands
            an_unlink_may_come_first
            a_user_may_be_linked_to_several
            an_account_has_the_organization_stated_last
            a_track_makes_no_link
            an_instance_keeps_its_object_name_and_parents
            first_known_is_the_earliest_instant
            created_and_updated_are_times_of_receipt
            what_moves_an_updated_time
        );
        $crate::conformance!(@file $subject $paces written
            whoever_leaves_an_organization_is_out_of_it
            a_custom_object_has_one_name
            the_last_answer_of_a_user_counts
            counts_of_answers_follow_links_and_accounts
        );
        $crate::conformance!(@file $subject $paces lists
            lists_run_from_new_to_old_in_pages_of_any_size
            few_texts_are_the_options_of_a_trait
            equal_times_are_ordered_by_id
            an_empty_workspace_has_empty_lists
            a_change_moves_a_record_to_the_front
            conditions_choose_records
            an_address_of_any_type_is_what_a_text_says
            a_pass_by_creation_sees_each_record_once_whatever_is_written
            a_pass_by_update_sees_each_unchanged_record_once
            children_are_those_that_ever_named_a_parent
            children_are_told_by_kind
            a_parent_stated_too_late_has_its_child_all_the_same
        );
        $crate::conformance!(@file $subject $paces history
            a_timeline_runs_from_new_to_old
            events_show_what_was_sent
            a_call_of_another_form_keeps_its_identity
            equal_instants_are_ordered_by_identity
            pages_of_any_size_show_every_event_once
            filters_choose_events
            filters_and_pages_together
            only_tracks_are_events
            who_was_never_named_has_no_events
            years_apart
            a_page_is_not_disturbed_by_what_is_written_meanwhile
            an_event_in_the_future_shows_the_instant_it_was_sent_with
            a_long_timeline
        );
        $crate::conformance!(@file $subject $paces anonymous
            earlier_and_later_events_belong_to_the_user
            an_account_that_comes_after_the_tie
            the_latest_tie_decides
            nobody_has_what_is_not_tied
            days_follow_ties
            a_scan_tells_whose_events_are
            the_past_knows_the_ties_of_then
            a_user_that_goes_takes_its_anonymous_ids_along
            what_others_did_under_the_same_id_stays
            a_tie_that_goes_takes_along_where_the_id_is_found_from
            a_tie_that_goes_leaves_what_the_id_did_to_others
            a_tie_said_twice_of_which_one_goes
            someone_whom_nobody_identified_can_be_deleted
            ties_stay_in_their_workspace
            a_user_of_many_devices
            what_ties_and_what_does_not
        );
        $crate::conformance!(@file $subject $paces attribution
            a_track_that_names_its_account_stays_there
            a_link_that_comes_later_takes_its_events_along
            before_the_first_link_the_first_one_counts
            events_follow_the_account_linked_last
            after_the_last_unlink_the_last_account_counts
            an_unlink_alone_attributes_nothing
            a_statement_about_the_past_moves_events
            a_statement_in_the_future_counts_from_its_place_in_the_order
            an_event_follows_its_accounts_organization
            without_an_accounts_organization_the_one_named_counts
            without_either_the_users_organization_counts
            an_account_that_moves_takes_its_events_along
        );
        $crate::conformance!(@file $subject $paces seen
            an_account_without_tracks_was_never_seen
            tracks_that_name_the_account_and_those_of_its_users
            only_tracks_move_it
            the_first_link_brings_earlier_tracks
            a_link_in_the_past_moves_tracks_away
            an_unlink_in_the_past_moves_tracks_away
            a_link_moves_tracks_that_came_before_it
            tracks_of_several_users
            a_clock_that_is_wrong_is_not_believed
        );
        $crate::conformance!(@file $subject $paces scan
            every_message_comes_once
            tracks_stand_where_they_belong
            a_moment_stands_still
            moments_of_two_workspaces
            a_long_scan
        );
        $crate::conformance!(@file $subject $paces past
            every_statement_about_a_trait
            a_statement_shows_its_message
            traits_as_they_stood
            who_was_only_named_is_not_described
            links_as_they_stood
            tracks_and_counts_as_of_then
        );
        $crate::conformance!(@file $subject $paces activity
            names_of_events
            days_count_events_and_users
            nobody_did_it
            late_links_move_days
            a_day_on_which_a_user_moves
            days_of_an_organization
            the_day_of_a_wrong_clock
        );
        $crate::conformance!(@file $subject $paces refused
            pages_run_from_new_to_old
            one_is_read_by_its_id
            bytes_are_kept_as_they_came
            the_same_bytes_again_are_kept_once
            workspaces_do_not_see_each_others
        );
        $crate::conformance!(@file $subject $paces deletion
            a_deleted_user_is_gone
            late_messages_about_the_time_before_are_not_stored
            messages_about_the_time_after_start_anew
            a_message_sent_again_after_the_deletion_starts_anew
            what_was_received_ahead_of_its_time_goes_too
            a_deleted_account_takes_its_own_users_along
            a_user_of_several_accounts_stays
            a_user_that_stays_keeps_its_traits_when_told_again
            a_deleted_organization_takes_its_accounts_along
            events_of_a_deleted_user_leave_the_account
            answers_of_a_deleted_user_are_not_counted
            messages_set_aside_about_it_go
            messages_set_aside_about_nobody_known_go
            others_are_left_alone
            a_deletion_is_carried_out_once
            a_schedule_is_kept_and_called_off
            receipts_form_a_chain
        );
        $crate::conformance!(@file $subject $paces imports
            an_import_counts_what_it_brought_once
            imports_are_listed_and_end
            an_import_counts_conflicts_as_refused
            an_import_is_taken_back
        );
        $crate::conformance!(@file $subject $paces follow
            a_follower_gets_what_is_accepted_from_now_on
            a_follower_may_begin_with_everything
            a_place_moves_when_it_is_told_to
            a_reader_goes_on_from_a_place_it_kept
            a_moment_and_what_follows_it_are_everything_once
            a_page_is_bounded_in_bytes
            what_was_deleted_is_not_handed_out
            letters_are_kept
            followers_come_and_go
        );
        $crate::conformance!(@file $subject $paces credentials
            a_key_opens_its_workspace
            keys_of_one_name_share_a_workspace
            a_token_has_one_key
            a_revoked_key_opens_nothing
            names_are_checked
            all_are_listed_from_old_to_new
        );
        $crate::conformance!(@file $subject $paces team
            members_come_and_go
            members_sign_in
            addresses_are_checked
            workspaces_have_teams_of_their_own
        );
        $crate::conformance!(@file $subject $paces saved
            views_are_kept_changed_and_removed
            what_is_kept_is_bounded
            workspaces_keep_views_of_their_own
        );
        $crate::conformance!(@file $subject $paces status
            a_new_store_is_ready
            figures_count_what_was_done
            workspaces_have_sizes
            records_are_counted
            closing_twice_is_harmless
        );
        $crate::conformance!(@file $subject $paces order
            the_documentations_example_in_any_order
            random_messages_in_any_order
            random_messages_read_as_from_the_twin
            conflicts_are_decided_by_arrival_alone
        );
    };
    (@file $subject:ident $paces:tt $file:ident $($case:ident)*) => {
        mod $file {
            $(mod $case {
                $crate::conformance!(@paces $subject $file $case $paces);
            })*
        }
    };
    (@paces $subject:ident $file:ident $case:ident [$($test:ident $pace:ident),*]) => {
        $($crate::conformance!(@pace $subject $file $case $test $pace);)*
    };
    (@pace $subject:ident $file:ident $case:ident $test:ident $pace:ident) => {
        #[tokio::test]
        async fn $test() {
            let subject = super::super::$subject();
            Box::pin($crate::suite::$file::$case(&subject, $crate::suite::Pace::$pace)).await;
        }
    };
}
